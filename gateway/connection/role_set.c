#include "gateway/connection/role_set.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM                                                                          \
    1 /* else uthash ends the process when memory is out; hh.tbl stays NULL then */
#include <uthash.h>

struct role_set_entry {
    uint32_t index; /* own; first word: the slab's link while free */
    uint32_t refs;
    UT_hash_handle hh;
    size_t length;
    char *text;
};

void role_set_init(struct role_set *set) {
    slab_init(&set->slab, sizeof(struct role_set_entry));
    set->by_text = NULL;
}

static void drop(struct role_set *set, struct role_set_entry *entry) {
    HASH_DEL(set->by_text, entry);
    free(entry->text);
    slab_give(&set->slab, entry->index);
}

void role_set_done(struct role_set *set) {
    struct role_set_entry *entry, *next;
    HASH_ITER(hh, set->by_text, entry, next) {
        drop(set, entry);
    }
    slab_done(&set->slab);
}

#define TEXT_MAX (1 + IDENTITY_ROLES_MAX * (IDENTITY_ROLE_BYTES + 1) + ROOM_CLAIMS_BYTES)

/* 0: there is nothing to keep. */
static size_t join_rights(const struct identity *identity, char *text) {
    const struct room_claims *claims = &identity->room_claims;
    size_t length = 0;
    if (identity->role_count == 0 && claims->length == 0) {
        return 0;
    }
    text[length++] = (char)identity->role_count;
    for (unsigned i = 0; i < identity->role_count; i++) {
        size_t role = strlen(identity->roles[i]) + 1;
        memcpy(text + length, identity->roles[i], role);
        length += role;
    }
    memcpy(text + length, claims->texts, claims->length);
    return length + claims->length;
}

static struct role_set_entry *add(struct role_set *set, const char *text, size_t length) {
    char *copy = malloc(length);
    uint32_t index = copy != NULL ? slab_take(&set->slab) : 0;
    if (index == 0) {
        free(copy);
        return NULL;
    }
    memcpy(copy, text, length);
    struct role_set_entry *entry = slab_at(&set->slab, index);
    entry->index = index;
    entry->text = copy;
    entry->length = length;
    HASH_ADD_KEYPTR(hh, set->by_text, entry->text, entry->length, entry);
    if (entry->hh.tbl == NULL) {
        free(copy);
        slab_give(&set->slab, index);
        return NULL;
    }
    return entry;
}

int role_set_ref(struct role_set *set, const struct identity *identity, uint32_t *index) {
    char text[TEXT_MAX];
    size_t length = join_rights(identity, text);
    if (length == 0) {
        *index = 0;
        return 0;
    }
    struct role_set_entry *entry;
    HASH_FIND(hh, set->by_text, text, length, entry);
    if (entry == NULL) {
        entry = add(set, text, length);
    }
    if (entry == NULL) {
        return -ENOMEM;
    }
    entry->refs++;
    *index = entry->index;
    return 0;
}

void role_set_unref(struct role_set *set, uint32_t index) {
    if (index == 0) {
        return;
    }
    struct role_set_entry *entry = slab_at(&set->slab, index);
    if (--entry->refs == 0) {
        drop(set, entry);
    }
}

/* Where the claims begin; up to `most` roles before it into roles[]. */
static size_t walk_roles(const struct role_set_entry *entry, struct span *roles, unsigned most) {
    unsigned count = (unsigned char)entry->text[0];
    size_t at = 1;
    for (unsigned i = 0; i < count; i++) {
        struct span role = span_of(entry->text + at);
        if (i < most) {
            roles[i] = role;
        }
        at += role.length + 1;
    }
    return at;
}

unsigned role_set_list(const struct role_set *set, uint32_t index, struct span *roles,
                       unsigned most) {
    if (index == 0) {
        return 0;
    }
    const struct role_set_entry *entry = slab_at(&set->slab, index);
    unsigned count = (unsigned char)entry->text[0];
    walk_roles(entry, roles, most);
    return count < most ? count : most;
}

struct span role_set_claims(const struct role_set *set, uint32_t index) {
    if (index == 0) {
        return (struct span){"", 0};
    }
    const struct role_set_entry *entry = slab_at(&set->slab, index);
    size_t at = walk_roles(entry, NULL, 0);
    return (struct span){entry->text + at, entry->length - at};
}
