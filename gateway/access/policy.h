/* Who may join which room (PROTOCOL 7's default table): pattern -> user, owner, role:NAME, ask, none; the
 * first row that matches decides, and what no row matches is denied. */
#ifndef MOONX_GATEWAY_ACCESS_POLICY_H
#define MOONX_GATEWAY_ACCESS_POLICY_H

#include "common/base.h"

struct policy_subject {
    struct span user_id;
    unsigned role_count;
    const struct span *roles;
};

enum policy_result {
    POLICY_ALLOW,
    POLICY_DENY,    /* PERMISSION_DENIED */
    POLICY_UNKNOWN, /* no row knows such a room, or the name is invalid: UNKNOWN_CHANNEL */
};

enum policy_result policy_may_join(struct span room, const struct policy_subject *subject);

#endif
