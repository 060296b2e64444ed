/* A message from a client: `{"id"?,"type","timestamp"?,"data"?}`, moonx-protocol(7). message_receive() checks the
 * text (json_check first, cJSON after), finds the row of its type and calls the handler of
 * gateway/message/handle_TYPE.c. One row and one file a message. */
#ifndef MOONX_GATEWAY_MESSAGE_MESSAGE_H
#define MOONX_GATEWAY_MESSAGE_MESSAGE_H

#include "common/json.h"
#include "gateway/worker.h"

#include <cjson/cJSON.h>

#define MESSAGE_ID_MAX_BYTES 128

struct message {
    const char *type;
    const char *ref; /* the client's id for it, or NULL */
    const cJSON
        *data; /* an object, possibly an empty one; never NULL. Empty in rows that are `spliced` */
    struct json_value text; /* the same as its own bytes; JSON_NULL when there is none */
};

typedef void message_handler(struct worker *worker, struct conn *conn,
                             const struct message *message);

struct message_row {
    const char *type;
    bool before_authentication;
    bool resumes; /* may ask for a resume; any other says that none comes next */
    message_handler *handle;
    bool
        spliced; /* its handler passes the client's own bytes on: numbers keep their text, no tree is made */
};

/* Ends with a row whose type is NULL; /debug/handlers shows it. */
extern const struct message_row message_table[];

/* NULL: no such type. */
const struct message_row *message_row_of(struct span type);

/* A whole text message of valid UTF-8, at most ws_max_message_bytes long. Anything wrong is answered with
 * its error code; the connection is not closed for it. */
void message_receive(struct worker *worker, struct conn *conn, struct span text);

/* The member `name` of the message's data. 1: *out is it; 0: absent; -EEXIST: it stands there twice, and
 * guessing which is meant could differ from what another reader of the same bytes guessed. */
int message_field(const struct message *message, const char *name, const cJSON **out) MUST_CHECK;

message_handler handle_authenticate, handle_subscribe, handle_unsubscribe, handle_ping,
    handle_get_rooms, handle_resume, handle_publish, handle_typing, handle_notification,
    handle_user_action, handle_presence;

#endif
