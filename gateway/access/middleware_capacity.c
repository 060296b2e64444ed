/* Whether the host takes anybody: not while it drains or is overloaded (gateway/delivery/overload.h), and not beyond WS_MAX_CONNECTIONS. */
#include "gateway/access/middleware.h"

#define RETRY_AFTER_S 5

static bool host_full(const struct worker *worker) {
    return host_view_sum(&worker->view, STAT_CONNECTIONS) >=
           (uint64_t)worker->options->ws_max_connections;
}

enum middleware_verdict middleware_capacity(struct middleware_handshake *handshake,
                                            struct middleware_refusal *refusal) {
    const struct worker *worker = handshake->worker;

    if (worker->draining || host_view_draining(&worker->view)) {
        *refusal = (struct middleware_refusal){
            .status = 503, .reason = "The server is draining", .retry_after_s = RETRY_AFTER_S};
        return MIDDLEWARE_REFUSE;
    }
    if (worker->refusing) {
        *refusal = (struct middleware_refusal){
            .status = 503, .reason = "The worker is overloaded", .retry_after_s = RETRY_AFTER_S};
        return MIDDLEWARE_REFUSE;
    }
    if (host_full(worker)) {
        *refusal = (struct middleware_refusal){
            .status = 503, .reason = "The host is full", .retry_after_s = RETRY_AFTER_S};
        return MIDDLEWARE_REFUSE;
    }
    return MIDDLEWARE_ALLOW;
}
