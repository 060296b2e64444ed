/* Who is an administrator: an address of ADMIN_ALLOW, or the bearer of the token in ADMIN_TOKEN_FILE. Owned by a
 * worker, made before privileges are dropped (the file may be root's alone); --check-config makes one too.
 *
 * By address only when it is certain: a request that was forwarded by anybody but a trusted proxy counts as
 * nobody's, and one that a trusted proxy says came from loopback too, since that may have been a program on the
 * proxy's host as well as anybody behind a second proxy there. From loopback, a header that only proxies write (Via,
 * X-Real-IP and the like) is enough: a proxy on this host that nobody told to write X-Forwarded-For would make
 * administrators of all the world. And a browser on this host comes from loopback whatever page it shows: one whose name
 * has been made to point here (DNS rebinding) is told by its name in Host, which is then neither an address nor
 * localhost nor this host's. The token counts with any Host: no page can make a browser send it. */
#ifndef MOONX_GATEWAY_HTTP_ADMIN_RULE_H
#define MOONX_GATEWAY_HTTP_ADMIN_RULE_H

#include "common/option.h"
#include "gateway/access/address_client.h"

#define ADMIN_RULE_TOKEN_MIN_BYTES 16

struct admin_rule;

/* `error` gets one line that names the option. */
int admin_rule_new(const struct options *options, struct admin_rule **out, char *error,
                   size_t error_size) MUST_CHECK;
void admin_rule_free(struct admin_rule *rule);

/* NULL: an administrator asks. Else why not, for a 403. `rule` NULL: nobody is. */
const char *admin_rule_refusal(const struct admin_rule *rule, const struct http_request *request,
                               const struct address_client *client) MUST_CHECK;

#endif
