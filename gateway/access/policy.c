#include "gateway/access/policy.h"

#include "common/room_name.h"

enum rule {
    RULE_NONE,  /* nobody */
    RULE_USER,  /* any authenticated user */
    RULE_OWNER, /* the user whose id stands where the pattern has its star */
    RULE_ROLE,  /* who has the role that stands there */
    RULE_ASK,   /* whom the auth service allows; without one, nobody */
};

/* Joining and publishing stand side by side because whoever changes one must think of the other; what
 * clients publish is no part of the wire yet, so only `join` is read. */
struct row {
    const char *pattern; /* a name, or a prefix and `*` for at least one more byte */
    enum rule join;
    enum rule publish;
};

static const struct row rows[] = {
    {"prices", RULE_USER, RULE_NONE},       {"prices:*", RULE_USER, RULE_NONE},
    {"trades", RULE_USER, RULE_NONE},       {"system_alerts", RULE_USER, RULE_NONE},
    {"user_actions", RULE_USER, RULE_NONE}, {"notifications", RULE_USER, RULE_NONE},
    {"user:*", RULE_OWNER, RULE_NONE},      {"portfolio:*", RULE_OWNER, RULE_NONE},
    {"orders:*", RULE_OWNER, RULE_NONE},    {"notifications:*", RULE_OWNER, RULE_NONE},
    {"role:*", RULE_ROLE, RULE_NONE},       {"chat:*", RULE_USER, RULE_USER},
    {"order:*", RULE_ASK, RULE_NONE},
};

static bool matches(const char *pattern, struct span room, struct span *star);
static bool allows(enum rule rule, struct span star, const struct policy_subject *subject);
static bool has_role(const struct policy_subject *subject, struct span role);

enum policy_result policy_may_join(struct span room, const struct policy_subject *subject) {
    struct span star;

    if (!room_name_valid(room)) {
        return POLICY_UNKNOWN;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (matches(rows[i].pattern, room, &star)) {
            return allows(rows[i].join, star, subject) ? POLICY_ALLOW : POLICY_DENY;
        }
    }
    return POLICY_UNKNOWN;
}

/* *star is what stands for the `*`, empty without one. */
static bool matches(const char *pattern, struct span room, struct span *star) {
    size_t length = strlen(pattern);

    *star = (struct span){NULL, 0};
    if (pattern[length - 1] != '*') {
        return span_is(room, pattern);
    }
    length--;
    if (room.length <= length || memcmp(room.data, pattern, length) != 0) {
        return false;
    }
    *star = (struct span){room.data + length, room.length - length};
    return true;
}

static bool allows(enum rule rule, struct span star, const struct policy_subject *subject) {
    if (subject->user_id.length == 0) {
        return false; /* not authenticated */
    }
    switch (rule) {
    case RULE_USER:
        return true;
    case RULE_OWNER:
        return span_equal(star, subject->user_id);
    case RULE_ROLE:
        return has_role(subject, star);
    case RULE_ASK:
    case RULE_NONE:
        break;
    }
    return false;
}

static bool has_role(const struct policy_subject *subject, struct span role) {
    for (unsigned i = 0; i < subject->role_count; i++) {
        if (span_equal(subject->roles[i], role)) {
            return true;
        }
    }
    return false;
}
