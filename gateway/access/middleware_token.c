/* Whose the token is that comes with a handshake. It stands last: a signature costs more than all other checks together,
 * and what only the auth service can judge takes a while. Without a token the client is asked for one later. */
#include "gateway/access/handshake_token.h"
#include "gateway/access/middleware.h"
#include "gateway/access/revocation.h"
#include "gateway/access/token_verify.h"

#define RETRY_AFTER_S 1

static int find(struct middleware_handshake *handshake) {
    const struct handshake_token_sources sources = {
        .cookie = origin_list_restricts(handshake->rules->origins),
        .query = handshake->worker->options->ws_query_token,
    };

    return handshake_token_find(handshake->request, &sources, handshake->decoded,
                                &handshake->token);
}

enum middleware_verdict middleware_token(struct middleware_handshake *handshake,
                                         struct middleware_refusal *refusal) {
    enum error_code code = ERROR_INVALID_TOKEN;
    int result = find(handshake);

    if (result == 0) {
        return MIDDLEWARE_ALLOW;
    }
    if (result == 1) {
        result = token_verify(handshake->worker, handshake->token, handshake->identity, &code);
    }
    if (result == -EINPROGRESS) {
        return MIDDLEWARE_LATER;
    }
    if (result == 0) {
        code = revocation_check(handshake->worker, handshake->identity);
        handshake->identified = code == ERROR_CODE_COUNT;
    }
    if (!handshake->identified) {
        *refusal = middleware_token_refusal(code);
    }
    return handshake->identified ? MIDDLEWARE_ALLOW : MIDDLEWARE_REFUSE;
}

int middleware_ask(const struct middleware_handshake *handshake, auth_answer *answer,
                   void *context) {
    return token_verify_later(handshake->worker, handshake->token, answer, context);
}

struct middleware_refusal middleware_token_refusal(enum error_code code) {
    if (code == ERROR_AUTH_UNAVAILABLE) {
        return (struct middleware_refusal){
            .status = 503, .reason = error_code_message(code), .retry_after_s = RETRY_AFTER_S};
    }
    return (struct middleware_refusal){.status = 401, .token = true, .code = code};
}
