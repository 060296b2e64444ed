/* Control messages: what an operator tells all hosts through the topic gateway.control, and the bodies of POST
 * /admin/revoke and /admin/disconnect. Read strictly: a field that stands twice, an unknown field or a time in the
 * wrong unit is refused, since a message that is half understood revokes too little or too much. Pure; read by
 * ingest, checked by workers before they publish.
 *
 *   {"type":"revoke","data":{...}}      exactly one of userId, sid, jti; or issuedBefore alone: everybody's
 *       "userId"        string or number; all tokens of that user, or with
 *       "issuedBefore"  (ms since the epoch) those whose `iat` is earlier, or that have none
 *       "sid", "jti"    string or number; the tokens with that claim
 *       "until"         (ms since the epoch) when the tokens concerned have all expired
 *   {"type":"disconnect","data":{...}}  exactly one of userId, connectionId
 *       "reason"        at most 64 bytes, told to the client in the Close frame
 *   Both may have "comment", which nobody reads but people. */
#ifndef MOONX_COMMON_CONTROL_MESSAGE_H
#define MOONX_COMMON_CONTROL_MESSAGE_H

#include "common/json.h"

#define CONTROL_MESSAGE_NAME_BYTES   255
#define CONTROL_MESSAGE_REASON_BYTES 64

enum control_message_kind { CONTROL_MESSAGE_REVOKE, CONTROL_MESSAGE_DISCONNECT };

/* Whom it names. */
enum control_message_subject {
    CONTROL_MESSAGE_EVERYBODY,
    CONTROL_MESSAGE_USER,
    CONTROL_MESSAGE_SESSION,
    CONTROL_MESSAGE_TOKEN,
    CONTROL_MESSAGE_CONNECTION,
};

struct control_message {
    enum control_message_kind kind;
    enum control_message_subject subject;
    char name[CONTROL_MESSAGE_NAME_BYTES + 1]; /* "" for everybody */
    int64_t issued_before_ms;                  /* 0: whenever issued */
    int64_t until_ms;                          /* 0: not said */
    char reason[CONTROL_MESSAGE_REASON_BYTES + 1];
};

/* A whole message. 0; -EINVAL with a short stable sentence in *why. */
int control_message_read(struct span text, struct control_message *out,
                         const char **why) MUST_CHECK;
/* The same of the data alone, an object that has passed json_check(). */
int control_message_read_data(enum control_message_kind kind, struct json_value data,
                              struct control_message *out, const char **why) MUST_CHECK;

const char *control_message_type(enum control_message_kind kind); /* "revoke", "disconnect" */

#endif
