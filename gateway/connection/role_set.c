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

static size_t join_roles(const struct identity *identity, char *text) {
    size_t length = 0;
    for (unsigned i = 0; i < identity->role_count; i++) {
        size_t role = strlen(identity->roles[i]) + 1;
        memcpy(text + length, identity->roles[i], role);
        length += role;
    }
    return length;
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
    char text[IDENTITY_ROLES_MAX * (IDENTITY_ROLE_BYTES + 1)];
    size_t length = join_roles(identity, text);
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

unsigned role_set_list(const struct role_set *set, uint32_t index, struct span *roles,
                       unsigned most) {
    if (index == 0) {
        return 0;
    }
    const struct role_set_entry *entry = slab_at(&set->slab, index);
    unsigned count = 0;
    for (size_t at = 0; at < entry->length && count < most; count++) {
        roles[count] = span_of(entry->text + at);
        at += roles[count].length + 1;
    }
    return count;
}
