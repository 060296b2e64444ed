#include "gateway/access/auth_cache.h"

#include <stdlib.h>

/* An identity without its empty space: the texts one after the other, each with its NUL. */
struct packed {
    int64_t expires_ms;
    int64_t issued_ms;
    unsigned role_count;
    size_t claims_length;
    char texts[]; /* user id, email, sid, jti, roles, room claims */
};

struct entry {
    struct digest_slot slot;
    struct packed *packed;
};

struct auth_cache {
    struct entry entries[AUTH_CACHE_ENTRIES];
};

static struct digest_slots slots_of(struct auth_cache *cache);
static void forget(struct entry *entry);
static struct packed *pack(const struct identity *identity);
static void unpack(const struct packed *packed, struct identity *out);
static char *put_text(char *at, const char *text);
static const char *take_text(const char *at, char *text);

int auth_cache_new(struct auth_cache **out) {
    struct auth_cache *cache = calloc(1, sizeof(*cache)); /* pages come when they are touched */

    if (cache == NULL) {
        return -ENOMEM;
    }
    *out = cache;
    return 0;
}

void auth_cache_free(struct auth_cache *cache) {
    if (cache != NULL) {
        auth_cache_clear(cache);
        free(cache);
    }
}

bool auth_cache_find(struct auth_cache *cache, const unsigned char digest[DIGEST_BYTES],
                     int64_t now_wall_ms, struct identity *out) {
    struct digest_slots slots = slots_of(cache);
    struct entry *entry = (struct entry *)digest_find(&slots, digest);

    if (entry == NULL) {
        return false;
    }
    if (now_wall_ms >= entry->slot.until_ms) {
        forget(entry);
        return false;
    }
    unpack(entry->packed, out);
    return true;
}

void auth_cache_put(struct auth_cache *cache, const unsigned char digest[DIGEST_BYTES],
                    const struct identity *identity, int64_t until_wall_ms) {
    struct digest_slots slots = slots_of(cache);
    struct packed *packed = pack(identity);
    struct entry *entry;

    if (packed != NULL) {
        entry = (struct entry *)digest_place(&slots, digest, until_wall_ms);
        free(entry->packed);
        entry->packed = packed;
    }
}

void auth_cache_clear(struct auth_cache *cache) {
    for (size_t i = 0; i < AUTH_CACHE_ENTRIES; i++) {
        forget(&cache->entries[i]);
    }
}

static struct digest_slots slots_of(struct auth_cache *cache) {
    return (struct digest_slots){cache->entries, AUTH_CACHE_ENTRIES, sizeof(cache->entries[0])};
}

static void forget(struct entry *entry) {
    free(entry->packed);
    *entry = (struct entry){.packed = NULL};
}

static struct packed *pack(const struct identity *identity) {
    const struct identity_marks *marks = &identity->marks;
    size_t length = strlen(identity->user_id) + 1 + strlen(identity->email) + 1 +
                    strlen(marks->session_id) + 1 + strlen(marks->token_id) + 1;
    struct packed *packed;
    char *at;

    for (unsigned i = 0; i < identity->role_count; i++) {
        length += strlen(identity->roles[i]) + 1;
    }
    packed = malloc(sizeof(*packed) + length + identity->room_claims.length);
    if (packed == NULL) {
        return NULL;
    }
    packed->expires_ms = identity->expires_ms;
    packed->issued_ms = marks->issued_ms;
    packed->role_count = identity->role_count;
    packed->claims_length = identity->room_claims.length;
    at = put_text(put_text(packed->texts, identity->user_id), identity->email);
    at = put_text(put_text(at, marks->session_id), marks->token_id);
    for (unsigned i = 0; i < identity->role_count; i++) {
        at = put_text(at, identity->roles[i]);
    }
    memcpy(at, identity->room_claims.texts, identity->room_claims.length);
    return packed;
}

static void unpack(const struct packed *packed, struct identity *out) {
    const char *at = take_text(take_text(packed->texts, out->user_id), out->email);

    at = take_text(take_text(at, out->marks.session_id), out->marks.token_id);
    out->expires_ms = packed->expires_ms;
    out->marks.issued_ms = packed->issued_ms;
    out->role_count = packed->role_count;
    for (unsigned i = 0; i < packed->role_count; i++) {
        at = take_text(at, out->roles[i]);
    }
    out->room_claims.length = packed->claims_length;
    memcpy(out->room_claims.texts, at, packed->claims_length);
}

/* Both return where the next text begins. */
static char *put_text(char *at, const char *text) {
    size_t size = strlen(text) + 1;

    memcpy(at, text, size);
    return at + size;
}

static const char *take_text(const char *at, char *text) {
    size_t size = strlen(at) + 1; /* pack() has it from an identity, so it fits one */

    memcpy(text, at, size);
    return at + size;
}
