/* Whether the host takes another handshake in this second: those who are connected come first in a storm, and whoever
 * is sent away costs little. */
#include "gateway/access/middleware.h"

enum middleware_verdict middleware_handshakes(struct middleware_handshake *handshake,
                                              struct middleware_refusal *refusal) {
    const struct limit *limit = handshake->rules->limit;
    unsigned wait_s = limit != NULL ? limit_handshake(limit) : 0;

    if (wait_s > 0) {
        *refusal = (struct middleware_refusal){
            .status = 503, .reason = "Too many connect at the moment", .retry_after_s = wait_s};
        return MIDDLEWARE_REFUSE;
    }
    return MIDDLEWARE_ALLOW;
}
