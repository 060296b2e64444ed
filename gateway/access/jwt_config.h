/* What tokens are verified with, read from the options once, at start: shared secret, public keys, algorithms,
 * claims asked for. Used by auth_new() of workers, of --check-config and of the `token` subcommand, before
 * privileges are dropped. */
#ifndef MOONX_GATEWAY_ACCESS_JWT_CONFIG_H
#define MOONX_GATEWAY_ACCESS_JWT_CONFIG_H

#include "common/option.h"
#include "gateway/access/auth_jwt.h"

/* `out` is zeroed; on failure the caller still owns what there is of it (auth_jwt_done), and `error` has one
 * line that names the option and what to do. `warning` gets one line, or stays empty. */
int jwt_config_read(const struct options *options, bool dev, struct auth_jwt *out, char *warning,
                    size_t warning_size, char *error, size_t error_size) MUST_CHECK;

/* Unset options are "" from the command line, and NULL in an `options` that a test has made. */
static inline bool jwt_config_is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

#endif
