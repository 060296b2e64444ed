/* Users with a connection on this worker, by id: the list of their connections. A personal room is a view of
 * that list through each connection's mask (conn->personal), so it costs nothing per connection.
 * One worker owns the table. */
#ifndef MOONX_GATEWAY_DELIVERY_USER_H
#define MOONX_GATEWAY_DELIVERY_USER_H

#include "common/room_name.h"
#include "gateway/delivery/index_table.h"
#include "gateway/delivery/interest.h"
#include "gateway/delivery/slab.h"

#define USER_INLINE_ID_BYTES 40u

struct conn;

struct user {
    uint64_t hash; /* first word: the slab's link while free */
    uint32_t first_conn;
    uint16_t conn_count; /* user_add_conn() refuses past 65535 */
    uint8_t id_length;
    uint8_t id_is_inline;
    union {
        char inline_id[USER_INLINE_ID_BYTES]; /* a UUID has 36 */
        char *id;
    };
};
static_assert(sizeof(struct user) == 56, "a user is part of what an idle connection costs");

struct user_table {
    struct slab users;
    struct index_table by_id;
    struct interest *interest;
    const struct slab *conns;
};

void user_table_init(struct user_table *table, struct interest *interest, const struct slab *conns);
void user_table_done(struct user_table *table);

/* NULL when the user has no connection here. */
const struct user *user_find(const struct user_table *table, uint64_t hash, struct span id);
struct span user_id(const struct user_table *table, uint32_t index);

uint32_t user_conn_count(const struct user_table *table, uint32_t index);

/* Puts the connection into the user's list, who is made if new; sets conn->user. -ENOMEM, -EUSERS. */
int user_add_conn(struct user_table *table, struct conn *conn, uint64_t hash,
                  struct span id) MUST_CHECK;
/* Takes it out; the user goes with the last. */
void user_remove_conn(struct user_table *table, struct conn *conn);

#endif
