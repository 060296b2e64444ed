#include "gateway/delivery/user.h"

#include "gateway/connection/conn_table.h"

#include <stdlib.h>

static struct user *user_at(const struct user_table *table, uint32_t index) {
    return slab_at(&table->users, index);
}

static struct span id_of(const struct user *user) {
    return (struct span){user->id_is_inline ? user->inline_id : user->id, user->id_length};
}

static uint64_t hash_of(const void *owner, uint32_t index) {
    return user_at(owner, index)->hash;
}

static bool has_key(const void *owner, uint32_t index, struct span key) {
    return span_equal(id_of(user_at(owner, index)), key);
}

void user_table_init(struct user_table *table, struct interest *interest,
                     const struct slab *conns) {
    static const struct index_table_owner calls = {hash_of, has_key};
    slab_init(&table->users, sizeof(struct user));
    index_table_init(&table->by_id, &calls, table);
    table->interest = interest;
    table->conns = conns;
}

void user_table_done(struct user_table *table) {
    for (uint32_t i = 1; i < table->users.next_new; i++) {
        struct user *user = user_at(table, i);
        if (user->id_length > 0 && !user->id_is_inline) {
            free(user->id);
        }
    }
    index_table_done(&table->by_id);
    slab_done(&table->users);
}

const struct user *user_find(const struct user_table *table, uint64_t hash, struct span id) {
    uint32_t index = index_table_find(&table->by_id, hash, id);
    return index != 0 ? user_at(table, index) : NULL;
}

struct span user_id(const struct user_table *table, uint32_t index) {
    return id_of(user_at(table, index));
}

static bool set_id(struct user *user, struct span id) {
    user->id_length = (uint8_t)id.length; /* at most ROOM_NAME_MAX_BYTES */
    user->id_is_inline = id.length <= USER_INLINE_ID_BYTES;
    if (!user->id_is_inline) {
        char *copy = malloc(id.length);
        if (copy == NULL) {
            return false;
        }
        user->id = copy;
    }
    memcpy(user->id_is_inline ? user->inline_id : user->id, id.data, id.length);
    return true;
}

static void user_drop(struct user_table *table, uint32_t index) {
    struct user *user = user_at(table, index);
    if (!user->id_is_inline) {
        free(user->id);
    }
    slab_give(&table->users, index);
}

static uint32_t user_new(struct user_table *table, uint64_t hash, struct span id) {
    uint32_t index = slab_take(&table->users);
    if (index == 0) {
        return 0;
    }
    struct user *user = user_at(table, index);
    user->hash = hash;
    if (!set_id(user, id)) {
        slab_give(&table->users, index);
        return 0;
    }
    if (index_table_add(&table->by_id, hash, index) != 0) {
        user_drop(table, index);
        return 0;
    }
    interest_add(table->interest, hash);
    return index;
}

uint32_t user_conn_count(const struct user_table *table, uint32_t index) {
    return user_at(table, index)->conn_count;
}

int user_add_conn(struct user_table *table, struct conn *conn, uint64_t hash, struct span id) {
    uint32_t index = index_table_find(&table->by_id, hash, id);
    if (index == 0) {
        index = user_new(table, hash, id);
    }
    if (index == 0) {
        return -ENOMEM;
    }
    struct user *user = user_at(table, index);
    if (user->conn_count == UINT16_MAX) {
        return -EUSERS;
    }
    conn->user = index;
    conn->user_previous = 0;
    conn->user_next = user->first_conn;
    if (user->first_conn != 0) {
        ((struct conn *)slab_at(table->conns, user->first_conn))->user_previous = conn->self;
    }
    user->first_conn = conn->self;
    user->conn_count++;
    return 0;
}

void user_remove_conn(struct user_table *table, struct conn *conn) {
    struct user *user = user_at(table, conn->user);
    if (conn->user_previous != 0) {
        ((struct conn *)slab_at(table->conns, conn->user_previous))->user_next = conn->user_next;
    } else {
        user->first_conn = conn->user_next;
    }
    if (conn->user_next != 0) {
        ((struct conn *)slab_at(table->conns, conn->user_next))->user_previous =
            conn->user_previous;
    }
    if (--user->conn_count == 0) {
        interest_remove(table->interest, user->hash);
        index_table_remove(&table->by_id, user->hash, conn->user);
        user_drop(table, conn->user);
    }
    conn->user = conn->user_next = conn->user_previous = 0;
}
