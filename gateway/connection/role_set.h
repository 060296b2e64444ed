/* Roles of tokens, kept once: most users have the same few, so a connection holds an index instead of a list. With
 * them go the rooms that its claims list (gateway/access/room_claims.h).
 * A set is the number of roles, their names, and the claims, joined by NULs, in the token's order. One worker owns it. */
#ifndef MOONX_GATEWAY_CONNECTION_ROLE_SET_H
#define MOONX_GATEWAY_CONNECTION_ROLE_SET_H

#include "gateway/access/identity.h"
#include "gateway/delivery/slab.h"

struct role_set_entry;

struct role_set {
    struct slab slab;
    struct role_set_entry *by_text; /* uthash */
};

void role_set_init(struct role_set *set);
void role_set_done(struct role_set *set);

/* A reference to the set of these roles and claims; *index 0 for none of either. -ENOMEM. */
int role_set_ref(struct role_set *set, const struct identity *identity, uint32_t *index) MUST_CHECK;
void role_set_unref(struct role_set *set, uint32_t index);
/* The spans live as long as the reference. */
unsigned role_set_list(const struct role_set *set, uint32_t index, struct span *roles,
                       unsigned most);
/* The rooms that claims list; as long. */
struct span role_set_claims(const struct role_set *set, uint32_t index);

#endif
