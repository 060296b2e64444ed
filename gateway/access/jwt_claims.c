#include "gateway/access/jwt_claims.h"

#include <stdlib.h>

/* The latest moment that a JavaScript Date can hold, so `expiresAt` stays a date for every client. */
#define LATEST_S 8640000000000.0

#define CLAIM_TEXT_MAX          1024 /* of an issuer or an audience */
#define LONGEST_PERSONAL_PREFIX "notifications:"

struct reading {
    struct json_value claims;
    const struct jwt_rules *rules;
    int64_t now_ms;
    enum error_code code; /* what a step that fails means */
    struct identity *identity;
};

typedef bool reading_step(struct reading *reading);

static reading_step check_issuer, check_audience, check_not_before, read_expiry, read_user_id,
    check_active, read_email, read_roles, read_room_claims;

/* In this order: a foreign token is INVALID_TOKEN even when it has expired as well. */
static reading_step *const steps[] = {
    check_issuer, check_audience, check_not_before, read_expiry,      read_user_id,
    check_active, read_email,     read_roles,       read_room_claims,
};

#define USER_STEP 4 /* from here on they are about the user, not about the token */

static bool take_steps(struct reading *reading, size_t first);
static bool find(const struct reading *reading, const char *name, struct json_value *out);
static bool copy_text(struct json_value value, char *buffer, size_t size);
static bool text_is(struct json_value value, const char *expected);
static bool seconds_of(struct json_value value, int64_t *out_ms);
static bool is_integer(struct span number);
static bool add_role(struct identity *identity, struct json_value value);
static void copy_mark(struct json_value claims, const char *name, char mark[IDENTITY_MARK_MAX + 1]);

int jwt_claims_read(struct json_value claims, const struct jwt_rules *rules, int64_t now_wall_ms,
                    struct identity *out, enum error_code *code) {
    struct identity identity = {0};
    struct reading reading = {
        .claims = claims,
        .rules = rules,
        .now_ms = now_wall_ms,
        .identity = &identity,
    };

    if (!take_steps(&reading, 0)) {
        *code = reading.code;
        return -EACCES;
    }
    jwt_claims_marks(claims, &identity.marks);
    *out = identity;
    return 0;
}

void jwt_claims_marks(struct json_value claims, struct identity_marks *out) {
    struct json_value value;

    *out = (struct identity_marks){0};
    if (json_get(claims, "iat", &value) != 1 || !seconds_of(value, &out->issued_ms)) {
        out->issued_ms = 0;
    }
    copy_mark(claims, "sid", out->session_id);
    copy_mark(claims, "jti", out->token_id);
}

int jwt_claims_read_user(struct json_value user, int64_t expires_ms,
                         const struct room_claim_names *room_claims, struct identity *out,
                         enum error_code *code) {
    struct identity identity = {.expires_ms = expires_ms};
    const struct jwt_rules rules = {.room_claims = room_claims};
    struct reading reading = {.claims = user, .rules = &rules, .identity = &identity};

    if (!take_steps(&reading, USER_STEP)) {
        *code = reading.code;
        return -EACCES;
    }
    *out = identity;
    return 0;
}

bool jwt_claims_issuer_is(struct json_value claims, const char *issuer) {
    struct json_value value;

    return json_get(claims, "iss", &value) == 1 && text_is(value, issuer);
}

int jwt_claims_expiry(struct json_value claims, int64_t *out_ms) {
    struct json_value value;

    return json_get(claims, "exp", &value) == 1 && seconds_of(value, out_ms) ? 0 : -EINVAL;
}

static_assert(ROOM_NAME_MAX_BYTES - (sizeof(LONGEST_PERSONAL_PREFIX) - 1) == 114,
              "as INVALID_USER_ID says");

bool jwt_claims_user_id_valid(struct span user_id) {
    return room_name_valid(user_id) &&
           user_id.length + sizeof(LONGEST_PERSONAL_PREFIX) - 1 <= ROOM_NAME_MAX_BYTES;
}

static bool take_steps(struct reading *reading, size_t first) {
    for (size_t i = first; i < ARRAY_LENGTH(steps); i++) {
        reading->code = ERROR_INVALID_TOKEN;
        if (!steps[i](reading)) {
            return false;
        }
    }
    return true;
}

static bool check_issuer(struct reading *reading) {
    const char *list = reading->rules->issuer;
    struct json_value value;
    char text[CLAIM_TEXT_MAX + 1];

    if (list[0] == '\0') {
        return true;
    }
    if (!find(reading, "iss", &value) || !copy_text(value, text, sizeof(text))) {
        return false;
    }
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        if (span_is((struct span){at, length}, text)) {
            return true;
        }
        at += length;
        if (*at == '\0') {
            return false;
        }
    }
}

static bool check_audience(struct reading *reading) {
    struct json_value value, element;
    size_t cursor = 0;

    if (reading->rules->audience[0] == '\0') {
        return true;
    }
    if (!find(reading, "aud", &value)) {
        return false;
    }
    if (value.type != JSON_ARRAY) {
        return text_is(value, reading->rules->audience);
    }
    while (json_next_element(value, &cursor, &element) == 1) {
        if (text_is(element, reading->rules->audience)) {
            return true;
        }
    }
    return false;
}

static bool check_not_before(struct reading *reading) {
    struct json_value value;
    int64_t from_ms;

    if (!find(reading, "nbf", &value)) {
        return true;
    }
    return seconds_of(value, &from_ms) && from_ms <= reading->now_ms + reading->rules->leeway_ms;
}

static bool read_expiry(struct reading *reading) {
    struct json_value value;
    int64_t expires_ms;

    if (!find(reading, "exp", &value) || !seconds_of(value, &expires_ms)) {
        return false;
    }
    reading->code = ERROR_TOKEN_EXPIRED;
    reading->identity->expires_ms = expires_ms;
    return reading->now_ms - reading->rules->leeway_ms < expires_ms;
}

static bool read_user_id(struct reading *reading) {
    static const char *const names[] = {"sub", "userId", "id"};
    struct json_value value = {.type = JSON_NULL};
    char *user_id = reading->identity->user_id;
    size_t size = sizeof(reading->identity->user_id);

    for (size_t i = 0; i < ARRAY_LENGTH(names) && value.type == JSON_NULL; i++) {
        if (!find(reading, names[i], &value)) {
            value.type = JSON_NULL;
        }
    }
    if (value.type != JSON_STRING && value.type != JSON_NUMBER) {
        return false;
    }
    reading->code = ERROR_INVALID_USER_ID;
    if (value.type == JSON_NUMBER) {
        /* Its own text, never a double: ids beyond 2^53 stay what they are. */
        if (!is_integer(value.text) || value.text.length >= size) {
            return false;
        }
        memcpy(user_id, value.text.data, value.text.length);
    } else if (!copy_text(value, user_id, size)) {
        return false;
    }
    return jwt_claims_user_id_valid(span_of(user_id));
}

static bool check_active(struct reading *reading) {
    struct json_value value;

    if (!find(reading, "isActive", &value) || value.type == JSON_NULL) {
        return true;
    }
    if (value.type == JSON_FALSE) {
        reading->code = ERROR_USER_INACTIVE;
    }
    return value.type == JSON_TRUE;
}

static bool read_email(struct reading *reading) {
    struct json_value value;

    if (!find(reading, "email", &value) || value.type == JSON_NULL) {
        return true;
    }
    return copy_text(value, reading->identity->email, sizeof(reading->identity->email));
}

/* `roles`, else `role`; both may be one string or several: issuers do either. */
static bool read_roles(struct reading *reading) {
    struct json_value value, element;
    size_t cursor = 0;

    if (!find(reading, "roles", &value) || value.type == JSON_NULL) {
        if (!find(reading, "role", &value) || value.type == JSON_NULL) {
            return true;
        }
    }
    if (value.type != JSON_ARRAY) {
        return add_role(reading->identity, value);
    }
    while (json_next_element(value, &cursor, &element) == 1) {
        if (!add_role(reading->identity, element)) {
            return false;
        }
    }
    return true;
}

static bool read_room_claims(struct reading *reading) {
    room_claims_read(reading->claims, reading->rules->room_claims, &reading->identity->room_claims);
    return true;
}

static bool find(const struct reading *reading, const char *name, struct json_value *out) {
    return json_get(reading->claims, name, out) == 1;
}

/* NUL-terminated; a text outside can hold no NUL, json_check has seen to it. */
static bool copy_text(struct json_value value, char *buffer, size_t size) {
    long length = value.type == JSON_STRING ? json_unescape(value, buffer, size - 1) : -EINVAL;

    if (length < 0) {
        return false;
    }
    buffer[length] = '\0';
    return true;
}

static bool text_is(struct json_value value, const char *expected) {
    char text[CLAIM_TEXT_MAX + 1];

    return copy_text(value, text, sizeof(text)) && strcmp(text, expected) == 0;
}

/* A NumericDate: seconds, perhaps with a fraction, which is dropped. */
static bool seconds_of(struct json_value value, int64_t *out_ms) {
    char text[64];
    double seconds;

    if (value.type != JSON_NUMBER || value.text.length >= sizeof(text)) {
        return false;
    }
    memcpy(text, value.text.data, value.text.length);
    text[value.text.length] = '\0';
    seconds = strtod(text, NULL);
    if (!(seconds >= 0 && seconds <= LATEST_S)) { /* 1e999 is infinite */
        return false;
    }
    *out_ms = (int64_t)seconds * 1000;
    return true;
}

static bool is_integer(struct span number) {
    for (size_t i = 0; i < number.length; i++) {
        if (number.data[i] == '.' || (number.data[i] | 0x20) == 'e') {
            return false;
        }
    }
    return true;
}

static bool add_role(struct identity *identity, struct json_value value) {
    if (identity->role_count == IDENTITY_ROLES_MAX ||
        !copy_text(value, identity->roles[identity->role_count], IDENTITY_ROLE_BYTES + 1)) {
        return false;
    }
    identity->role_count++;
    return true;
}

/* A number by its own text, as in a revocation. */
static void copy_mark(struct json_value claims, const char *name,
                      char mark[IDENTITY_MARK_MAX + 1]) {
    struct json_value value;

    if (json_get(claims, name, &value) != 1) {
        return;
    }
    if (value.type == JSON_NUMBER && value.text.length <= IDENTITY_MARK_MAX) {
        memcpy(mark, value.text.data, value.text.length);
        mark[value.text.length] = '\0';
    } else if (!copy_text(value, mark, IDENTITY_MARK_MAX + 1)) {
        mark[0] = '\0';
    }
}
