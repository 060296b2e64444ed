/* Whether the host takes another handshake in this second: those who are connected come first in a storm, and whoever
 * is sent away costs little. */
#include "gateway/access/middleware.h"

bool middleware_handshakes(const struct middleware_handshake *handshake,
                           struct middleware_refusal *refusal) {
    const struct limit *limit = handshake->rules->limit;
    unsigned wait_s = limit != NULL ? limit_handshake(limit) : 0;

    if (wait_s > 0) {
        *refusal = (struct middleware_refusal){503, "Too many connect at the moment", wait_s};
        return false;
    }
    return true;
}
