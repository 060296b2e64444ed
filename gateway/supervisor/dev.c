#include "gateway/supervisor/dev.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES 32

static int make_folders(const char *path);
static int make_secret(const struct options *options);
static int file_path(const struct options *options, const char *name, char path[PATH_MAX]);
static int write_secret(const char *path);

int dev_prepare(const struct options *options, char *error, size_t error_size) {
    int result = make_folders(options->dev_directory);
    if (result == 0) {
        result = make_secret(options);
    }
    if (result < 0) {
        snprintf(error, error_size, "DEV_DIRECTORY: \"%s\" is not a folder that can be used: %s",
                 options->dev_directory, strerror(-result));
    }
    return result;
}

int dev_bootstrap_clear(const struct options *options, char *error, size_t error_size) {
    char path[PATH_MAX] = "";
    int fd = -1;
    int result = file_path(options, "bootstrap", path);
    if (result == 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        result = fd < 0 ? -errno : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (result < 0) {
        snprintf(error, error_size, "DEV_DIRECTORY: can't write \"%s\": %s", path,
                 strerror(-result));
    }
    return result;
}

int dev_bootstrap_read(const struct options *options, char broker[DEV_BROKER_MAX_BYTES]) {
    char path[PATH_MAX];
    char text[DEV_BROKER_MAX_BYTES];
    if (file_path(options, "bootstrap", path) < 0) {
        return 0;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    size_t end = strcspn(text, " \t\r\n");
    if (end == 0) {
        return 0;
    }
    memcpy(broker, text, end);
    broker[end] = '\0';
    return 1;
}

void dev_bootstrap_remove(const struct options *options) {
    char path[PATH_MAX];
    if (file_path(options, "bootstrap", path) == 0) {
        unlink(path);
    }
}

/* An address that a client on this machine can connect to. */
static void local_host(const char *host, char out[80]) {
    if (strcmp(host, "0.0.0.0") == 0) {
        host = "127.0.0.1";
    } else if (strcmp(host, "::") == 0) {
        host = "::1";
    }
    snprintf(out, 80, strchr(host, ':') ? "[%s]" : "%s", host);
}

static void print_broker(FILE *out, const struct options *options, const char *broker) {
    if (broker[0] == '\0') {
        fputs("  Kafka     no broker yet\n", out);
        return;
    }
    fprintf(
        out,
        "  Kafka     %s (also in %s/bootstrap)\n\n"
        "Publish a price:\n\n"
        "  echo '{\"token\":\"MOON\",\"chainId\":1,\"price\":\"2150.45\"}' | kcat -P -b %s -t %s\n",
        broker, options->dev_directory, broker, options->kafka_topic_prices);
}

static void print_client(FILE *out, const char *program, const char *url, const char *token) {
    const char *slash = strrchr(program, '/');
    int folder = slash ? (int)(slash + 1 - program) : 0;
    fprintf(out,
            "\nSee events arrive (token of user " DEV_USER ", good for a day):\n\n"
            "  export MOONX_URL=%s MOONX_TOKEN=%s\n"
            "  %.*smoonx-client\n",
            url, token, folder, program);
}

void dev_print_banner(FILE *out, const struct options *options, const char *program,
                      const char *broker, const char *token) {
    char host[80];
    char url[128];
    local_host(options->websocket_service_host, host);
    const char *s = options->tls_cert_file[0] != '\0' ? "s" : "";
    snprintf(url, sizeof(url), "ws%s://%s:%lld/ws", s, host, options->websocket_service_port);
    fprintf(out, "\nMoonX Gateway runs in development mode. Ctrl-C stops it.\n\n");
    fprintf(out, "  console   http%s://%s:%lld/\n", s, host, options->websocket_service_port);
    fprintf(out, "  API       http%s://%s:%lld/docs\n", s, host, options->websocket_service_port);
    fprintf(out, "  WebSocket %s\n", url);
    fprintf(out, "  health    http%s://%s:%lld/health\n", s, host, options->websocket_service_port);
    print_broker(out, options, broker);
    if (token[0] != '\0') {
        print_client(out, program, url, token);
    }
    fputc('\n', out);
    fflush(out);
}

/* Every folder on the way; only the last one is private. One that exists stays as it is. */
static int make_folders(const char *path) {
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof(part)) {
        return -ENAMETOOLONG;
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, i == length ? 0700 : 0755) != 0 && errno != EEXIST) {
            return -errno;
        }
    }
    return 0;
}

static int file_path(const struct options *options, const char *name, char path[PATH_MAX]) {
    int length = snprintf(path, PATH_MAX, "%s/%s", options->dev_directory, name);
    return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Written aside and linked into place, so that nobody ever reads half a secret. */
static int make_secret(const struct options *options) {
    char path[PATH_MAX];
    char aside[PATH_MAX];
    char name[32];
    struct stat there;
    snprintf(name, sizeof(name), "secret.%d", (int)getpid());
    int result = file_path(options, "secret", path);
    if (result == 0) {
        result = file_path(options, name, aside);
    }
    if (result < 0) {
        return result;
    }
    if (stat(path, &there) == 0) {
        return there.st_size > 0 ? 0 : -ENODATA;
    }
    result = write_secret(aside);
    if (result == 0 && link(aside, path) != 0 && errno != EEXIST) {
        result = -errno;
    }
    unlink(aside);
    return result;
}

static int write_secret(const char *path) {
    unsigned char random[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 1];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return -EIO;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(text + 2 * i, 3, "%02x", random[i]);
    }
    text[sizeof(text) - 1] = '\n';
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = fd < 0 ? -errno : 0;
    if (result == 0) {
        ssize_t written = write(fd, text, sizeof(text));
        result = written < 0 ? -errno : written == (ssize_t)sizeof(text) ? 0 : -EIO;
        close(fd);
    }
    explicit_bzero(random, sizeof(random));
    explicit_bzero(text, sizeof(text));
    return result;
}
