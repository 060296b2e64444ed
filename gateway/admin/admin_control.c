/* POST /admin/revoke and /admin/disconnect: the body is the data of a control message (moonx-control(5)), which is
 * written to gateway.control and so takes effect on all hosts, this one included. */
#include "common/clock.h"
#include "common/control_message.h"
#include "gateway/admin/admin_send.h"

#include <stdio.h>
#include <stdlib.h>

#define ENVELOPE_BYTES 96

/* What it names: the first byte of the record's key, so that a compacted topic keeps one message for each, and the word
 * in the log. */
static const struct subject {
    char key;
    const char *word;
} revoked[] =
    {
        [CONTROL_MESSAGE_EVERYBODY] = {'*', "everybody"},
        [CONTROL_MESSAGE_USER] = {'u', "userId"},
        [CONTROL_MESSAGE_SESSION] = {'s', "sid"},
        [CONTROL_MESSAGE_TOKEN] = {'j', "jti"},
},
  disconnected[] = {
      [CONTROL_MESSAGE_USER] = {'d', "userId"},
      [CONTROL_MESSAGE_CONNECTION] = {'c', "connectionId"},
};
static const struct subject dated = {'b', "issuedBefore, userId"};

static const struct subject *subject_of(const struct control_message *message) {
    if (message->kind == CONTROL_MESSAGE_DISCONNECT) {
        return &disconnected[message->subject];
    }
    if (message->subject == CONTROL_MESSAGE_USER && message->issued_before_ms != 0) {
        return &dated;
    }
    return &revoked[message->subject];
}

/* The message with the body as it came. The caller frees it; NULL: no memory. */
static char *envelope(enum control_message_kind kind, struct span data, size_t *length) {
    size_t size = ENVELOPE_BYTES + data.length;
    char *text = malloc(size);

    if (text != NULL) {
        int written = snprintf(text, size, "{\"type\":\"%s\",\"timestamp\":%lld,\"data\":",
                               control_message_type(kind), (long long)clock_wall_ms());
        memcpy(text + written, data.data, data.length);
        text[(size_t)written + data.length] = '}';
        *length = (size_t)written + data.length + 1;
    }
    return text;
}

static enum admin_result send_control(struct admin_call *call, enum control_message_kind kind,
                                      struct json_value data, struct http_response *response) {
    char key[1 + CONTROL_MESSAGE_NAME_BYTES + 1];
    struct control_message message;
    const struct subject *subject;
    const char *why = NULL;
    enum admin_result result;
    size_t length;
    char *text;

    if (control_message_read_data(kind, data, &message, &why) != 0) {
        http_response_error(response, 400, why);
        return ADMIN_ANSWERED;
    }
    subject = subject_of(&message);
    snprintf(call->what, sizeof(call->what), "%s %s", subject->word, message.name);
    if (message.until_ms != 0 && message.until_ms <= clock_wall_ms()) {
        http_response_error(response, 400, "until lies in the past");
        return ADMIN_ANSWERED;
    }
    text = envelope(kind, data.text, &length);
    if (text == NULL) {
        http_response_error(response, 503, "Out of memory");
        return ADMIN_ANSWERED;
    }
    snprintf(key, sizeof(key), "%c%s", subject->key, message.name);
    result = admin_send(call, UPLINK_CONTROL, span_of(key), (struct span){text, length}, response);
    free(text);
    return result;
}

enum admin_result admin_revoke(struct admin_call *call, struct json_value data,
                               struct http_response *response) {
    return send_control(call, CONTROL_MESSAGE_REVOKE, data, response);
}

enum admin_result admin_disconnect(struct admin_call *call, struct json_value data,
                                   struct http_response *response) {
    return send_control(call, CONTROL_MESSAGE_DISCONNECT, data, response);
}
