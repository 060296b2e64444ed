/* Whether the page that opens the WebSocket may: origin.h. */
#include "gateway/access/middleware.h"

enum middleware_verdict middleware_origin(struct middleware_handshake *handshake,
                                          struct middleware_refusal *refusal) {
    if (!origin_allowed(handshake->rules->origins, handshake->request)) {
        *refusal = (struct middleware_refusal){
            .status = 403, .reason = "This origin is not allowed", .retry_after_s = 0};
        return MIDDLEWARE_REFUSE;
    }
    return MIDDLEWARE_ALLOW;
}
