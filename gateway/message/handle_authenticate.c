/* `authenticate` {token, channels?, resume?}: makes the connection a user's, joins the automatic rooms, subscribes to
 * what is asked. On a connection that already is somebody's it is a refresh (authenticate.h). */
#include "gateway/access/token_verify.h"
#include "gateway/connection/conn.h"
#include "gateway/message/authenticate.h"
#include "gateway/message/authenticate_later.h"
#include "gateway/message/message.h"
#include "gateway/message/resume.h"
#include "gateway/message/subscribe.h"

static void join_channels(struct worker *worker, struct conn *conn, const struct message *message);

void handle_authenticate(struct worker *worker, struct conn *conn, const struct message *message) {
    struct identity identity;
    enum error_code code = ERROR_INVALID_TOKEN;
    const cJSON *token;
    int result = -EACCES;

    if (message_field(message, "token", &token) == 1 && cJSON_IsString(token)) {
        result = token_verify(worker, span_of(token->valuestring), &identity, &code);
    }
    if (result == -EINPROGRESS) {
        authenticate_later(worker, conn, message, span_of(token->valuestring));
    } else if (result != 0) {
        authenticate_refuse(worker, conn, code, message->ref);
    } else {
        struct resume resume = resume_read(worker, message, "resume");
        if (authenticate_accept(worker, conn, &identity, resume_then(&resume), message->ref)) {
            join_channels(worker, conn, message);
            resume_start(worker, conn, &resume, message->ref);
            conn_answered(worker, conn);
        }
        resume_done(&resume);
    }
}

static void join_channels(struct worker *worker, struct conn *conn, const struct message *message) {
    const cJSON *channels = NULL;
    int found = message_field(message, "channels", &channels);

    if (found != 0) {
        subscribe_each(worker, conn, channels, message->ref, subscribe_channel);
    }
}
