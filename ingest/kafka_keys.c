#include "ingest/kafka_keys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct row {
    const char *by_path, *by_bytes;
    bool alone; /* only when it is the one certificate in the file */
} rows[] = {
    {"ssl.key.location", "ssl.key.pem", false},
    {"ssl.certificate.location", "ssl.certificate.pem", true},
    {"ssl.ca.location", "ssl.ca.pem", false},
};

static const struct row *find(const char *name);
static int read_file(const char *path, char **out);
static int read_all(int fd, char *text, size_t size);
static bool is_chain(const char *pem);

int kafka_keys_set(rd_kafka_conf_t *conf, const char *name, const char *path, char *error,
                   size_t error_size) {
    const struct row *row = find(name);
    char *pem = NULL, why[512];
    int result;

    if (row == NULL) {
        return 0;
    }
    result = read_file(path, &pem);
    if (result == -EISDIR || (result == -ENOENT && strcmp(path, "probe") == 0)) {
        return 0; /* librdkafka's own way to say: look in the usual places */
    }
    if (result < 0) {
        snprintf(error, error_size, "%s: %s: %s", name, path, strerror(-result));
        return result;
    }
    result = 0;
    if (!row->alone || !is_chain(pem)) {
        result = 1;
        if (rd_kafka_conf_set(conf, row->by_bytes, pem, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
            snprintf(error, error_size, "%s: %s can't be used", name, path);
            result = -EINVAL;
        }
        explicit_bzero(why, sizeof(why)); /* it may repeat the bytes */
    }
    explicit_bzero(pem, strlen(pem));
    free(pem);
    return result;
}

static const struct row *find(const char *name) {
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (strcmp(name, rows[i].by_path) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* As text: a NUL ends it, as it would for librdkafka. */
static int read_file(const char *path, char **out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    char *text;
    int result;

    if (fd < 0) {
        return -errno;
    }
    result = fstat(fd, &status) < 0 ? -errno : 0;
    if (result == 0 && !S_ISREG(status.st_mode)) {
        result = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    }
    if (result == 0 && status.st_size > (off_t)KAFKA_KEYS_MAX_BYTES) {
        result = -EFBIG;
    }
    text = result == 0 ? calloc(1, (size_t)status.st_size + 1) : NULL;
    if (result == 0) {
        result = text != NULL ? read_all(fd, text, (size_t)status.st_size) : -ENOMEM;
    }
    close(fd);
    if (result < 0) {
        free(text);
        return result;
    }
    *out = text;
    return 0;
}

static int read_all(int fd, char *text, size_t size) {
    size_t length = 0;

    while (length < size) {
        ssize_t count = read(fd, text + length, size - length);
        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        if (count == 0) {
            break; /* it has become shorter */
        }
        length += count > 0 ? (size_t)count : 0;
    }
    return 0;
}

static bool is_chain(const char *pem) {
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const char *first = strstr(pem, begin);
    return first != NULL && strstr(first + sizeof(begin) - 1, begin) != NULL;
}
