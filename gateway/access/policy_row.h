/* One line of the rooms table: how it is read and what it says. Used by policy.c alone; a row is flat and
 * lives in the policy's array. */
#ifndef MOONX_GATEWAY_ACCESS_POLICY_ROW_H
#define MOONX_GATEWAY_ACCESS_POLICY_ROW_H

#include "common/room_name.h"
#include "common/table_file.h"
#include "gateway/access/identity.h"
#include "gateway/access/policy.h"

enum policy_rule_kind {
    POLICY_NONE,
    POLICY_USER,
    POLICY_OWNER,
    POLICY_ROLE_HERE,  /* the role that stands in the room's name */
    POLICY_ROLE_NAMED, /* the role policy_rule.name */
    POLICY_CLAIM,      /* the claim policy_rule.name */
    POLICY_ASK,
};

enum policy_placeholder {
    POLICY_LITERAL,
    POLICY_ANYTHING,
    POLICY_USER_ID,
    POLICY_ROLE_NAME,
};

struct policy_rule {
    enum policy_rule_kind kind;
    char name[IDENTITY_ROLE_BYTES + 1];
};

struct policy_row {
    char prefix[ROOM_NAME_MAX_BYTES + 1]; /* what stands before the placeholder, or all of it */
    char suffix[ROOM_NAME_MAX_BYTES + 1]; /* what stands behind it */
    enum policy_placeholder placeholder;
    struct policy_rule join, publish;
};

/* -EINVAL with `error` "FILE:LINE: …". */
int policy_row_parse(const struct table_row *line, struct policy_row *out, char *error,
                     size_t error_size) MUST_CHECK;

/* Whether the pattern matches; *held is then what stands for the placeholder, empty without one. */
bool policy_row_matches(const struct policy_row *row, struct span room, struct span *held);

/* What a rule of a row that matches says about this subject; held: from policy_row_matches(). For `ask` the caller has to
 * ask the auth service. */
enum policy_result policy_row_judge(const struct policy_rule *rule, struct span room,
                                    struct span held, const struct policy_subject *subject);

#endif
