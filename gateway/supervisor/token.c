#include "gateway/supervisor/token.h"

#include "common/clock.h"
#include "common/json.h"
#include "gateway/access/auth.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define TTL_DEFAULT_S 3600
#define TTL_MOST_S    31536000 /* a year */
#define USER_MAX      (ROOM_NAME_MAX_BYTES - (sizeof("notifications:") - 1))

struct request {
    struct identity identity;
    long long ttl_s;
    bool help;
};

typedef int flag_setter(struct request *request, const char *value, char *error, size_t size);

static flag_setter set_user, set_email, set_role, set_ttl;
static int parse(int argc, char *const *argv, struct request *out, char *error, size_t size);

static const struct {
    char letter;
    flag_setter *set;
} setters[] = {{'u', set_user}, {'e', set_email}, {'r', set_role}, {'t', set_ttl}};

static const char no_secret[] =
    "token: there is no shared secret to sign with; set JWT_SECRET_FILE or JWT_SECRET, or use "
    "--dev";
static const char usage[] =
    "moonx-gateway [OPTION]... token --user ID [--email E] [--role R]... [--ttl SECONDS]\n";

static int refuse(const char *error) {
    fprintf(stderr, "moonx-gateway: %s\n", error);
    return 2;
}

int token_command(int argc, char *const *argv, const struct options *options, bool dev) {
    struct request request;
    struct auth *auth = NULL;
    char *token = NULL;
    char error[512] = "";
    if (parse(argc, argv, &request, error, sizeof(error)) < 0) {
        return refuse(error);
    }
    if (request.help) {
        fputs(usage, stdout);
        return 0;
    }
    if (!dev && options->jwt_secret[0] == '\0' && options->jwt_secret_file[0] == '\0') {
        return refuse(no_secret);
    }
    if (auth_new(options, dev, &auth, error, sizeof(error)) < 0) {
        return refuse(error);
    }
    int result = auth_mint(auth, &request.identity, clock_wall_ms(), request.ttl_s, &token);
    auth_free(auth);
    if (result < 0) {
        snprintf(error, sizeof(error), "token: can't make one: %s", strerror(-result));
        return refuse(error);
    }
    bool printed = puts(token) >= 0 && fflush(stdout) == 0;
    explicit_bzero(token, strlen(token));
    free(token);
    return printed ? 0 : refuse("token: can't write to stdout");
}

static int set_user(struct request *request, const char *value, char *error, size_t size) {
    struct span id = span_of(value);
    if (!room_name_valid(id) || id.length > USER_MAX) {
        snprintf(error, size,
                 "token --user: \"%.200s\" is not a user id of 1 to %zu characters A-Z a-z 0-9 _ . "
                 ": @ | + = ~ -",
                 value, USER_MAX);
        return -EINVAL;
    }
    memcpy(request->identity.user_id, value, id.length + 1);
    return 0;
}

/* Text that can stand in a token and in a log line. */
static bool plain_text(const char *value, size_t most) {
    struct span text = span_of(value);
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return false;
        }
    }
    return text.length > 0 && text.length <= most && json_utf8_valid(text);
}

static int set_email(struct request *request, const char *value, char *error, size_t size) {
    if (!plain_text(value, IDENTITY_EMAIL_MAX)) {
        snprintf(error, size, "token --email: not a text of 1 to %d bytes", IDENTITY_EMAIL_MAX);
        return -EINVAL;
    }
    memcpy(request->identity.email, value, strlen(value) + 1);
    return 0;
}

static int set_role(struct request *request, const char *value, char *error, size_t size) {
    struct identity *identity = &request->identity;
    if (!plain_text(value, IDENTITY_ROLE_BYTES) || identity->role_count == IDENTITY_ROLES_MAX) {
        snprintf(error, size, "token --role: not at most %d texts of 1 to %d bytes",
                 IDENTITY_ROLES_MAX, IDENTITY_ROLE_BYTES);
        return -EINVAL;
    }
    memcpy(identity->roles[identity->role_count++], value, strlen(value) + 1);
    return 0;
}

static int set_ttl(struct request *request, const char *value, char *error, size_t size) {
    char *end = NULL;
    errno = 0;
    long long seconds = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || seconds < 1 || seconds > TTL_MOST_S) {
        snprintf(error, size, "token --ttl: \"%.200s\" is not a whole number of s from 1 to %d",
                 value, TTL_MOST_S);
        return -EINVAL;
    }
    request->ttl_s = seconds;
    return 0;
}

static int apply(int letter, struct request *request, const char *value, char *error, size_t size) {
    for (size_t i = 0; i < ARRAY_LENGTH(setters); i++) {
        if (setters[i].letter == letter) {
            return setters[i].set(request, value, error, size);
        }
    }
    return -EINVAL;
}

static int parse(int argc, char *const *argv, struct request *out, char *error, size_t size) {
    static const struct option flags[] = {
        {"user", required_argument, NULL, 'u'}, {"email", required_argument, NULL, 'e'},
        {"role", required_argument, NULL, 'r'}, {"ttl", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    struct request made = {.ttl_s = TTL_DEFAULT_S};
    int letter;
    optind = 0; /* glibc: start anew, with argv[0] as the program's name */
    opterr = 0;
    while ((letter = getopt_long(argc, argv, "+:", flags, NULL)) != -1) {
        if (letter == 'h') {
            made.help = true;
        } else if (letter == '?' || letter == ':') {
            snprintf(error, size, "token: \"%.200s\" %s; usage: %.*s", argv[optind - 1],
                     letter == ':' ? "lacks its value" : "is not known", (int)(sizeof(usage) - 2),
                     usage);
            return -EINVAL;
        } else if (apply(letter, &made, optarg, error, size) < 0) {
            return -EINVAL;
        }
    }
    if (!made.help && (made.identity.user_id[0] == '\0' || optind < argc)) {
        snprintf(error, size, "token: %s; usage: %.*s",
                 optind < argc ? "too many words" : "--user is missing", (int)(sizeof(usage) - 2),
                 usage);
        return -EINVAL;
    }
    *out = made;
    return 0;
}
