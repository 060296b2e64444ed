/* Names of rooms: what is allowed and which are personal.
 * A name is 1-128 bytes of A-Z a-z 0-9 _ . : @ | + = ~ -
 * Personal rooms (`user:`, `portfolio:`, `orders:`, `notifications:` + user id) are not room objects: a
 * record carries {kind, hash of the user id, user id} and a worker looks up the user's connections.
 * A plain name's hash is over the whole name, a personal one's over the user id alone. */
#ifndef MOONX_COMMON_ROOM_NAME_H
#define MOONX_COMMON_ROOM_NAME_H

#include "common/base.h"
#include "common/siphash.h"

#define ROOM_NAME_MAX_BYTES 128
/* Before a user's id: who listens there is told when that user comes and goes. */
#define ROOM_PRESENCE "presence:"

enum room_kind {
    ROOM_PLAIN,
    ROOM_USER,
    ROOM_PORTFOLIO,
    ROOM_ORDERS,
    ROOM_NOTIFICATIONS,
    ROOM_KIND_COUNT,
};

/* The bit of a personal kind in a connection's mask of joined personal rooms. */
#define ROOM_KIND_BIT(kind) (1u << ((unsigned)(kind)-1u))

/* Whether it is a name as above at all: asked of every name from outside, before anything else looks at it. */
bool room_name_valid(struct span name);

/* Kind of a valid name; *key is the user id of a personal room, else the whole name. `user:` with nothing
 * behind it is ROOM_PLAIN. */
enum room_kind room_name_kind(struct span name, struct span *key);

/* "user:" … of a personal kind, "" of ROOM_PLAIN. */
const char *room_name_prefix(enum room_kind kind);

/* Hash of `key` as room_name_kind() gives it. */
uint64_t room_name_hash(const struct siphash_key *hash_key, struct span key);

#endif
