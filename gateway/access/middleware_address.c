/* Whether the client's address may come in: ADDRESS_DENY first, then ADDRESS_ALLOW if there is one. With either
 * list an address that is not known is refused. */
#include "gateway/access/middleware.h"

static bool denied(const struct middleware *rules, const struct address_client *client) {
    if (address_list_empty(rules->allow) && address_list_empty(rules->deny)) {
        return false;
    }
    if (!client->known || address_list_has(rules->deny, &client->address)) {
        return true;
    }
    return !address_list_empty(rules->allow) && !address_list_has(rules->allow, &client->address);
}

enum middleware_verdict middleware_address(struct middleware_handshake *handshake,
                                           struct middleware_refusal *refusal) {
    if (handshake->client.unreadable) {
        *refusal = (struct middleware_refusal){
            .status = 400, .reason = "The proxy's headers name no client", .retry_after_s = 0};
        return MIDDLEWARE_REFUSE;
    }
    if (denied(handshake->rules, &handshake->client)) {
        *refusal = (struct middleware_refusal){
            .status = 403, .reason = "This address is not allowed", .retry_after_s = 0};
        return MIDDLEWARE_REFUSE;
    }
    return MIDDLEWARE_ALLOW;
}
