/* libFuzzer: what other services answer: a key set, the auth service about a token, and about a room. The first byte
 * chooses. clang -fsanitize=fuzzer,address,undefined */
#include "gateway/access/auth_rooms.h"
#include "gateway/access/auth_service.h"
#include "gateway/access/jwt_claims.h"
#include "gateway/access/jwt_key_set.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define EXPIRES_MS         1700000000000LL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out verifies something, and never what it is not for. */
static void read_key_set(struct span body) {
    static const unsigned char signature[64];
    const struct span text = SPAN_LITERAL("text"), nothing = {(const char *)signature, 64};
    struct jwt_key_set *keys = NULL;
    char why[160] = "";

    if (jwt_key_set_from_jwks(body, &keys, why, sizeof(why)) != 0) {
        REQUIRE(keys == NULL && why[0] != '\0' && strchr(why, '\n') == NULL);
        return;
    }
    REQUIRE(jwt_key_set_algorithms(keys) != 0);
    REQUIRE((jwt_key_set_algorithms(keys) & JWT_ALGORITHMS_HMAC) == 0);
    for (int i = JWT_HMAC_COUNT; i < JWT_ALGORITHM_COUNT; i++) {
        const struct jwt_key *key =
            jwt_key_set_find(keys, (struct span){NULL, 0}, (enum jwt_algorithm)i);
        REQUIRE(key == NULL || (jwt_key_algorithms(key) & JWT_ALGORITHM_BIT(i)) != 0);
        REQUIRE(key == NULL || !jwt_key_verify(key, (enum jwt_algorithm)i, text, nothing));
    }
    jwt_key_set_free(keys);
}

static void read_user(struct span body) {
    static const struct room_claim_names names = {.count = 2, .names = {"rooms", "sub"}};
    struct identity identity;
    enum error_code code = ERROR_CODE_COUNT;
    int result = auth_service_read(body, EXPIRES_MS, &names, &identity, &code);

    REQUIRE(result == 0 || result == -EPROTO || result == -EACCES);
    REQUIRE((result == -EACCES) == (code != ERROR_CODE_COUNT));
    if (result == 0) {
        const struct room_claims *claims = &identity.room_claims;
        REQUIRE(jwt_claims_user_id_valid(span_of(identity.user_id)));
        REQUIRE(identity.role_count <= IDENTITY_ROLES_MAX);
        REQUIRE(claims->length <= sizeof(claims->texts));
        REQUIRE(claims->length == 0 || claims->texts[claims->length - 1] == '\0');
        REQUIRE(!room_claims_list((struct span){claims->texts, claims->length}, "other",
                                  SPAN_LITERAL("box:1")));
    }
}

static void read_room(struct span body) {
    bool allowed = false;
    unsigned ttl_s = 0;

    if (auth_rooms_read(body, &allowed, &ttl_s) == 0) {
        REQUIRE(ttl_s >= AUTH_ROOMS_TTL_LEAST_S && ttl_s <= AUTH_ROOMS_TTL_MOST_S);
        REQUIRE(memchr(body.data, '{', body.length) != NULL);
    } else {
        REQUIRE(!allowed && ttl_s == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const readers[])(struct span) = {read_key_set, read_user, read_room};

    if (size < 1 || size > 16384) {
        return 0;
    }
    char *copy = malloc(size); /* of the exact size, for the sanitizer to see the end */
    if (copy != NULL) {
        memcpy(copy, data + 1, size - 1);
        readers[data[0] % ARRAY_LENGTH(readers)]((struct span){copy, size - 1});
        free(copy);
    }
    return 0;
}
