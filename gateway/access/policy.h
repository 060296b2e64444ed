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
 *   ask        whom the auth service allows; it is not asked yet, so that nobody is allowed
 *
 * Personal rooms (user:, portfolio:, orders:, notifications: and a user id) belong to their user: their JOIN
 * can only be `owner` or `none`, anything else would promise what the gateway never does. */
#ifndef MOONX_GATEWAY_ACCESS_POLICY_H
#define MOONX_GATEWAY_ACCESS_POLICY_H

#include "common/base.h"

#define POLICY_MAX_ROWS 1024

struct policy;

struct policy_subject {
    struct span user_id;
    unsigned role_count;
    const struct span *roles;
};

enum policy_result {
    POLICY_ALLOW,
    POLICY_DENY,    /* PERMISSION_DENIED */
    POLICY_UNKNOWN, /* no row knows such a room, or the name is invalid: UNKNOWN_CHANNEL */
};

/* `path` "" : the built-in table. On failure `error` has one line, FILE:LINE and what is wrong. */
int policy_new(const char *path, struct policy **out, char *error, size_t error_size) MUST_CHECK;
/* The same over text in memory; `name` stands for the file in errors. */
int policy_parse(const char *name, struct span text, struct policy **out, char *error,
                 size_t error_size) MUST_CHECK;
void policy_free(struct policy *policy);

/* `policy` NULL: the built-in table. */
enum policy_result policy_may_join(const struct policy *policy, struct span room,
                                   const struct policy_subject *subject);
enum policy_result policy_may_publish(const struct policy *policy, struct span room,
                                      const struct policy_subject *subject);

#endif
