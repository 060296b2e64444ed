/* Who may join which room and who may publish to it: a table, the built-in one or that of ROOMS_FILE. Owned by
 * a worker for as long as it lives; --check-config reads one too. Pure once it has been read.
 *
 * The file (moonx-rooms(5); common/table_file.h for comments and continuation) replaces the built-in table, all
 * of it. One line a pattern, fields separated by blanks:
 *
 *   PATTERN  JOIN  PUBLISH
 *
 * PATTERN is a room name in which at most one placeholder may stand, for one byte or more:
 *   *         anything
 *   {userId}  a user id
 *   {role}    the name of a role
 * The first line whose pattern matches decides; a room that no line matches is unknown and denied.
 *
 * JOIN and PUBLISH:
 *   none       nobody
 *   user       every authenticated user
 *   owner      the user whose id stands for {userId}
 *   role       who has the role that stands for {role}
 *   role:NAME  who has the role NAME
 *   claim:NAME  in whose token the claim NAME lists the room, in an array or separated by blanks
 *   ask        whom the auth service allows (policy_ask.h); without one nobody
 *
 * Personal rooms (user:, portfolio:, orders:, notifications: and a user id) belong to their user: their JOIN
 * can only be `owner` or `none`, anything else would promise what the gateway never does. */
#ifndef MOONX_GATEWAY_ACCESS_POLICY_H
#define MOONX_GATEWAY_ACCESS_POLICY_H

#include "common/base.h"

#define POLICY_MAX_ROWS 1024

enum policy_action { POLICY_JOIN, POLICY_PUBLISH };

struct policy;

struct policy_subject {
    struct span user_id;
    unsigned role_count;
    const struct span *roles;
    struct span room_claims; /* as identity.h has them */
};

enum policy_result {
    POLICY_ALLOW,
    POLICY_DENY,        /* PERMISSION_DENIED */
    POLICY_UNKNOWN,     /* no row knows such a room, or the name is invalid: UNKNOWN_CHANNEL */
    POLICY_LATER,       /* the auth service must be asked: policy_ask.h */
    POLICY_UNAVAILABLE, /* it has been, and is away: SERVICE_UNAVAILABLE */
};

/* `path` "" : the built-in table. A table without a row is refused (-EINVAL). On failure `error` has one line, FILE:LINE and what is wrong. */
int policy_new(const char *path, struct policy **out, char *error, size_t error_size) MUST_CHECK;
/* The same over text in memory; `name` stands for the file in errors. */
int policy_parse(const char *name, struct span text, struct policy **out, char *error,
                 size_t error_size) MUST_CHECK;
void policy_free(struct policy *policy);

/* What the table alone can say: not POLICY_UNAVAILABLE. `policy` NULL: the built-in table. */
enum policy_result policy_judge(const struct policy *policy, enum policy_action action,
                                struct span room, const struct policy_subject *subject);

/* The claims that the table names, to be kept from each token; as long as the policy. */
const struct room_claim_names *policy_claims(const struct policy *policy);

#endif
