/* The address of a service as options give it: http://HOST[:PORT][/BASE] or https. Pure; used by common/http_client
 * and by whoever checks such an option. */
#ifndef MOONX_COMMON_HTTP_URL_H
#define MOONX_COMMON_HTTP_URL_H

#include "common/base.h"

struct http_url {
    bool https;
    uint16_t port;
    char *host;      /* without the brackets of a numeric address */
    char *authority; /* as the Host header has it */
    char *target;    /* what is asked for */
};

/* -EINVAL when it is no such address, and for http_url_check() also when there is a ?query behind it, which only an address
 * that nothing is appended to can have: `error` gets one line that names the option and shows the address, without what may
 * be a secret in it. */
int http_url_check(const char *option, const char *text, char *error, size_t error_size) MUST_CHECK;
int http_url_check_whole(const char *option, const char *text, char *error,
                         size_t error_size) MUST_CHECK;
/* How much of an address may be shown: not what stands behind a question mark. */
int http_url_shown(const char *text);
/* -EINVAL when `path`, an option's too, can't be asked for: it begins with / and has no blank, no # and nothing but ASCII. */
int http_url_check_path(const char *option, const char *path, char *error,
                        size_t error_size) MUST_CHECK;
/* Whether this address, which has passed the check, is one of https. */
bool http_url_is_https(const char *text);
/* Takes an address that has passed the check apart; `path` is appended to its base, whose last slash is
 * left out then. -ENOMEM, and then too *out is for
 * http_url_done(). */
int http_url_read(const char *text, const char *path, struct http_url *out) MUST_CHECK;
void http_url_done(struct http_url *url);

#endif
