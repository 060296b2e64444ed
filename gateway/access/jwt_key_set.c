#include "gateway/access/jwt_key_set.h"

#include "common/json.h"
#include "gateway/access/jwt_jwk.h"

#include <stdio.h>
#include <stdlib.h>

struct jwt_key_set {
    bool by_id;
    unsigned algorithms;
    unsigned count;
    struct jwt_key *keys[JWT_KEY_SET_MAX];
};

static int add_all(struct jwt_key_set *set, struct json_value keys, char *why, size_t why_size);
static int add_one(struct jwt_key_set *set, struct json_value jwk, const char **why);
static int keep(struct jwt_key_set *set, struct jwt_key *key, const char **why);
static const struct jwt_key *find_id(const struct jwt_key_set *set, struct span kid);
static const struct jwt_key *find_only(const struct jwt_key_set *set, enum jwt_algorithm algorithm);

int jwt_key_set_from_pem(struct span pem, struct jwt_key_set **out, char *why, size_t why_size) {
    struct jwt_key_set *set = calloc(1, sizeof(*set));
    const char *fault = "there is no memory for it";
    int error = set == NULL ? -ENOMEM : jwt_key_from_pem(pem, &set->keys[0], &fault);

    if (error != 0) {
        free(set);
        (void)snprintf(why, why_size, "%s", fault);
        return error;
    }
    set->count = 1;
    set->algorithms = jwt_key_algorithms(set->keys[0]);
    *out = set;
    return 0;
}

int jwt_key_set_from_jwks(struct span jwks, struct jwt_key_set **out, char *why, size_t why_size) {
    struct json_value object, keys;
    struct jwt_key_set *set;
    enum json_result result = json_check(jwks, &object, NULL);
    int error;

    if (result != JSON_OK) {
        (void)snprintf(why, why_size, "is not JSON: %s", json_result_text(result));
        return -EINVAL;
    }
    if (json_get(object, "keys", &keys) != 1 || keys.type != JSON_ARRAY) {
        (void)snprintf(why, why_size, "is not {\"keys\":[…]}");
        return -EINVAL;
    }
    set = calloc(1, sizeof(*set));
    if (set == NULL) {
        (void)snprintf(why, why_size, "there is no memory for it");
        return -ENOMEM;
    }
    set->by_id = true;
    error = add_all(set, keys, why, why_size);
    if (error != 0) {
        jwt_key_set_free(set);
        return error;
    }
    *out = set;
    return 0;
}

void jwt_key_set_free(struct jwt_key_set *set) {
    if (set == NULL) {
        return;
    }
    for (unsigned i = 0; i < set->count; i++) {
        jwt_key_free(set->keys[i]);
    }
    free(set);
}

unsigned jwt_key_set_algorithms(const struct jwt_key_set *set) {
    return set->algorithms;
}

bool jwt_key_set_by_id(const struct jwt_key_set *set) {
    return set->by_id;
}

const struct jwt_key *jwt_key_set_find(const struct jwt_key_set *set, struct span kid,
                                       enum jwt_algorithm algorithm) {
    return set->by_id && kid.data != NULL ? find_id(set, kid) : find_only(set, algorithm);
}

static int add_all(struct jwt_key_set *set, struct json_value keys, char *why, size_t why_size) {
    struct json_value jwk;
    size_t cursor = 0;

    for (unsigned number = 1; json_next_element(keys, &cursor, &jwk) == 1; number++) {
        const char *fault = "";
        int error = add_one(set, jwk, &fault);
        if (error != 0 && error != -ENOTSUP) {
            (void)snprintf(why, why_size, "its key %u %s", number, fault);
            return error;
        }
    }
    if (set->count == 0) {
        (void)snprintf(why, why_size,
                       "holds no key for signatures; RSA, EC (P-256, P-384, P-521) and OKP "
                       "(Ed25519) are known");
        return -EINVAL;
    }
    return 0;
}

static int add_one(struct jwt_key_set *set, struct json_value jwk, const char **why) {
    struct jwt_key *key = NULL;
    int error = jwt_jwk_read(jwk, &key, why);

    if (error == 0) {
        error = keep(set, key, why);
    }
    return error;
}

static int keep(struct jwt_key_set *set, struct jwt_key *key, const char **why) {
    struct span id = jwt_key_id(key);

    if (set->count == JWT_KEY_SET_MAX) {
        *why = "is one of more than 64";
    } else if (id.length > 0 && find_id(set, id) != NULL) {
        *why = "has the same kid as one before it";
    } else {
        set->keys[set->count++] = key;
        set->algorithms |= jwt_key_algorithms(key);
        return 0;
    }
    jwt_key_free(key);
    return -EINVAL;
}

static const struct jwt_key *find_id(const struct jwt_key_set *set, struct span kid) {
    for (unsigned i = 0; i < set->count; i++) {
        if (kid.length > 0 && span_equal(jwt_key_id(set->keys[i]), kid)) {
            return set->keys[i];
        }
    }
    return NULL;
}

static const struct jwt_key *find_only(const struct jwt_key_set *set,
                                       enum jwt_algorithm algorithm) {
    const struct jwt_key *found = NULL;

    for (unsigned i = 0; i < set->count; i++) {
        if ((jwt_key_algorithms(set->keys[i]) & JWT_ALGORITHM_BIT(algorithm)) == 0) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = set->keys[i];
    }
    return found;
}
