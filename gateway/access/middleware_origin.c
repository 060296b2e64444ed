/* Whether the page that opens the WebSocket may: origin.h. */
#include "gateway/access/middleware.h"

bool middleware_origin(const struct middleware_handshake *handshake,
                       struct middleware_refusal *refusal) {
    if (!origin_allowed(handshake->rules->origins, handshake->request)) {
        *refusal = (struct middleware_refusal){403, "This origin is not allowed", 0};
        return false;
    }
    return true;
}
