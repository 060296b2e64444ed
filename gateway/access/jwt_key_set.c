#include "gateway/access/jwt_key_set.h"

#include "common/json.h"
#include "gateway/access/jwt_jwk.h"

#include <stdio.h>
#include <stdlib.h>

struct jwt_key_set {
    bool by_id;
    unsigned algorithms;
    unsigned count;
    unsigned passed_count;
    char passed_over[JWT_KEY_SET_WORDS - 64]; /* the first of them; then how many more */
    struct jwt_key *keys[JWT_KEY_SET_MAX];
};

#define ID_SHOWN 64 /* bytes of a kid */

static int add_all(struct jwt_key_set *set, struct json_value keys, char *why, size_t why_size);
static int add_one(struct jwt_key_set *set, struct json_value jwk, const char **why);
static void pass_over(struct jwt_key_set *set, struct json_value jwk, unsigned number,
                      const char *fault);
static void count_passed_over(struct jwt_key_set *set);
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
        (void)snprintf(why, why_size, "is not JSON%s%s", result != JSON_BAD_SYNTAX ? ": " : "",
                       result != JSON_BAD_SYNTAX ? json_result_text(result) : "");
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

const char *jwt_key_set_passed_over(const struct jwt_key_set *set) {
    return set->passed_over;
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
        if (error == -ENOMEM) {
            (void)snprintf(why, why_size, "there is no memory for it");
            return error;
        }
        if (error != 0 && fault[0] != '\0') {
            pass_over(set, jwk, number, fault);
        }
    }
    count_passed_over(set);
    if (set->count == 0) {
        (void)snprintf(why, why_size, "holds no key for signatures that can be used%s%s",
                       set->passed_over[0] != '\0' ? ": " : "", set->passed_over);
        return -EINVAL;
    }
    return 0;
}

static void pass_over(struct jwt_key_set *set, struct json_value jwk, unsigned number,
                      const char *fault) {
    char id[JWT_KEY_ID_MAX];
    struct json_value kid;
    long length = jwk.type == JSON_OBJECT && json_get(jwk, "kid", &kid) == 1
                      ? json_unescape(kid, id, sizeof(id))
                      : 0;

    if (set->passed_count++ > 0) {
        return;
    }
    if (length > 0) {
        (void)snprintf(set->passed_over, sizeof(set->passed_over), "its key %u (kid \"%.*s\") %s",
                       number, (int)(length < ID_SHOWN ? length : ID_SHOWN), id, fault);
    } else {
        (void)snprintf(set->passed_over, sizeof(set->passed_over), "its key %u %s", number, fault);
    }
}

static void count_passed_over(struct jwt_key_set *set) {
    size_t used = strlen(set->passed_over);

    if (set->passed_count > 1) {
        (void)snprintf(set->passed_over + used, sizeof(set->passed_over) - used, ", and %u more",
                       set->passed_count - 1);
    }
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
