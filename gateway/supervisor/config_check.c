#include "gateway/supervisor/config_check.h"

#include "gateway/access/auth.h"
#include "gateway/access/middleware.h"
#include "gateway/access/policy.h"
#include "gateway/delivery/conn_flush.h"
#include "gateway/external/external.h"
#include "gateway/http/admin_rule.h"
#include "gateway/message/auto_join.h"
#include "gateway/redis/redis.h"
#include "gateway/supervisor/configured_files.h"
#include "gateway/supervisor/listeners.h"
#include "gateway/supervisor/run_as.h"
#include "gateway/tls/tls.h"

#include <stdio.h>
#include <stdlib.h>

#define STATUS_FAILED 1
#define STATUS_BAD    2

static int check_here(const struct options *options, bool dev, char *error, size_t size);
static int run_helper(int program_fd, const char *title, int argc, char *const *argv, bool add_flag,
                      char *said, size_t size);

static int refuse(const char *error, int status) {
    fprintf(stderr, "moonx-gateway: %s\n", error);
    return status;
}

int config_check_command(int argc, char *const *argv, const struct options *options, bool dev) {
    struct spawn_programs programs;
    char error[1024] = "";
    if (check_here(options, dev, error, sizeof(error)) < 0 ||
        spawn_open_programs(&programs, error, sizeof(error)) < 0) {
        return refuse(error, STATUS_BAD);
    }
    fflush(stdout);
    int status = run_helper(programs.ingest_fd, "moonx-ingest", argc, argv, false, NULL, 0);
    spawn_close_programs(&programs);
    if (status == 0) {
        puts("configuration is fine");
    }
    return status;
}

int config_check_by_child(const struct spawn_programs *programs, int argc, char *const *argv,
                          char *said, size_t size) {
    return run_helper(programs->gateway_fd, "moonx-gateway", argc, argv, true, said, size);
}

static int check_auth(const struct options *options, bool dev, char *error, size_t size) {
    struct auth *auth = NULL;
    int result = auth_new(options, dev, &auth, error, size);
    const char *warning;
    for (unsigned i = 0; result == 0 && (warning = auth_warning(auth, i)) != NULL; i++) {
        printf("warning: %s\n", warning);
    }
    auth_free(auth);
    return result;
}

static int check_rooms(const struct options *options, char *error, size_t size) {
    struct policy *policy = NULL;
    int result = policy_new(options->rooms_file, &policy, error, size);
    policy_free(policy);
    return result;
}

static int check_doors(const struct options *options, char *error, size_t size) {
    struct middleware *middleware = NULL;
    struct admin_rule *admin = NULL;
    int result = middleware_new(options, &middleware, error, size);
    if (result == 0) {
        result = admin_rule_new(options, &admin, error, size);
    }
    middleware_free(middleware);
    admin_rule_free(admin);
    return result;
}

static int check_redis(const struct options *options, char *error, size_t size) {
    struct redis *redis = NULL;
    int result = redis_new(options, &redis, error, size);
    redis_free(redis);
    return result;
}

static int check_tls(const struct options *options, char *error, size_t size) {
    struct tls *tls = NULL;
    int result = tls_new(options, NULL, &tls, error, size);
    tls_free(tls);
    return result;
}

static int check_flush(const struct options *options, char *error, size_t size) {
    int result = conn_flush_check(options->flush_backend);
    if (result < 0) {
        snprintf(error, size,
                 "FLUSH_BACKEND (--flush-backend): %s is not to be had here (%s); auto takes "
                 "sendmsg then",
                 options->flush_backend, strerror(-result));
    }
    return result;
}

static int check_external(const struct options *options, char *error, size_t size) {
    struct external *external = NULL;
    int result = external_new(options, &external, error, size);
    external_free(external);
    return result;
}

static int check_listeners(const struct options *options, char *error, size_t size) {
    if (listeners_check_host(options->websocket_service_host) < 0) {
        snprintf(
            error, size,
            "WEBSOCKET_SERVICE_HOST (--host): \"%s\" is not a numeric IPv4 or IPv6 address, such "
            "as 127.0.0.1 or ::",
            options->websocket_service_host);
        return -EINVAL;
    }
    if (options->admin_listen[0] != '\0' && listeners_check_admin(options->admin_listen) < 0) {
        snprintf(error, size,
                 "ADMIN_LISTEN: \"%s\" is not HOST:PORT with a numeric address, such as "
                 "127.0.0.1:3009 or [::1]:3009",
                 options->admin_listen);
        return -EINVAL;
    }
    return 0;
}

static int check_auto_join(const struct options *options, char *error, size_t size) {
    return auto_join_check(options->auto_join_rooms, error, size);
}

static int check_users(const struct options *options, char *error, size_t size) {
    struct run_as run_as;
    return run_as_find(options, &run_as, error, size);
}

/* All that a child would refuse to start with: what is missing here is a child that dies again and again. */
typedef int check_part(const struct options *options, char *error, size_t size);
static check_part *const parts[] = {configured_files_check,
                                    check_auto_join,
                                    check_rooms,
                                    check_doors,
                                    check_redis,
                                    check_flush,
                                    check_tls,
                                    check_external,
                                    check_users};

static int check_here(const struct options *options, bool dev, char *error, size_t size) {
    int result = check_listeners(options, error, size);
    if (result == 0 && !dev && options->kafka_brokers[0] == '\0') {
        snprintf(
            error, size,
            "KAFKA_BROKERS (--kafka): not set; give HOST:PORT, several separated by commas, or "
            "start with --dev, which brings a broker of its own");
        return -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(parts) && result == 0; i++) {
        result = parts[i](options, error, size);
    }
    return result < 0 ? result : check_auth(options, dev, error, size);
}

/* A helper that ends by itself has said why. One that died says nothing of the configuration: the machine refuses. */
static int judge(int status, const char *title, char *said, size_t size) {
    char error[256];
    if (status >= 0 && status <= STATUS_BAD) {
        return status;
    }
    if (status < 0) {
        snprintf(error, sizeof(error), "%s --check-config did not run: %s", title,
                 strerror(-status));
    } else {
        snprintf(error, sizeof(error), "%s --check-config failed with status %d", title, status);
    }
    if (said == NULL) {
        return refuse(error, STATUS_FAILED);
    }
    snprintf(said, size, "%s", error);
    return STATUS_FAILED;
}

static int run_helper(int program_fd, const char *title, int argc, char *const *argv, bool add_flag,
                      char *said, size_t size) {
    /* room for one flag more and the closing NULL */
    char **arguments = calloc((size_t)argc + 2, sizeof(*arguments));
    if (!arguments) {
        return judge(-ENOMEM, title, said, size);
    }
    int count = 0;
    char name[32];
    char flag[] = "--check-config";
    snprintf(name, sizeof(name), "%s", title);
    arguments[count++] = name;
    if (add_flag) {
        arguments[count++] = flag;
    }
    for (int i = 1; i < argc; i++) {
        arguments[count++] = argv[i];
    }
    int status =
        spawn_run(program_fd, arguments, CONFIG_CHECK_TIMEOUT_MS, said != NULL, said, size);
    free(arguments);
    if (said != NULL && status >= 0) {
        said[strcspn(said, "\n")] = '\0';
    }
    return judge(status, title, said, size);
}
