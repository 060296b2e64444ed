#include "gateway/message/resume.h"

#include "gateway/connection/conn.h"
#include "gateway/delivery/position_claim.h"
#include "gateway/message/reply.h"

#include <inttypes.h>
#include <stdio.h>

struct resume resume_read(const struct worker *worker, const struct message *message,
                          const char *field) {
    struct resume resume = {.asked = false};
    const cJSON *position = NULL;
    char epoch[24];
    int found = message_field(message, field, &position);

    if (found == 0 || (found == 1 && cJSON_IsNull(position))) {
        return resume;
    }
    (void)snprintf(epoch, sizeof(epoch), "%" PRId64, (int64_t)worker->options->position_epoch);
    resume.asked = true;
    resume.error = found == 1 ? position_claim_new(position, epoch, &resume.claim) : -EINVAL;
    return resume;
}

enum authenticate_then resume_then(const struct resume *resume) {
    return resume->claim != NULL ? AUTHENTICATE_THEN_RESUME : AUTHENTICATE_THEN_LIVE;
}

void resume_start(struct worker *worker, struct conn *conn, struct resume *resume,
                  const char *ref) {
    if (resume->claim != NULL) {
        conn_resume(worker, conn, resume->claim, ref);
        resume->claim = NULL;
    } else if (resume->asked) {
        reply_error(worker, conn,
                    resume->error == -ENOMEM ? ERROR_MESSAGE_PROCESSING_ERROR
                                             : ERROR_INVALID_MESSAGE,
                    NULL, ref);
    }
}

void resume_done(struct resume *resume) {
    position_claim_free(resume->claim);
    resume->claim = NULL;
}
