/* `resume` {position, channels?}: `subscribed` for each channel, then `resumed`, then what was missed. For a client that
 * came with its token in the handshake; first thing, for what it has had on this connection can't be put in order. */
#include "gateway/connection/conn.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"
#include "gateway/message/resume.h"
#include "gateway/message/subscribe.h"

void handle_resume(struct worker *worker, struct conn *conn, const struct message *message) {
    struct resume resume = resume_read(worker, message, "position");
    const cJSON *channels = NULL;

    if (resume.claim == NULL) {
        resume.asked = true; /* without a position there is nothing else to answer */
        resume_start(worker, conn, &resume, message->ref);
        return;
    }
    conn_hold(worker, conn);
    if (message_field(message, "channels", &channels) != 0) {
        subscribe_each(worker, conn, channels, message->ref, subscribe_channel);
    }
    resume_start(worker, conn, &resume, message->ref);
}
