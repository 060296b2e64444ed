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
static char *read_file(const char *path, int *error);
static int read_all(int fd, char *text, size_t size);
static bool is_chain(const char *pem);

int kafka_keys_set(rd_kafka_conf_t *conf, const char *name, const char *path, char *error,
                   size_t error_size) {
    const struct row *row = find(name);
    char *pem, why[512];
    int result;

    if (row == NULL) {
        return 0;
    }
    pem = read_file(path, &result);
    if (pem == NULL && (result == -EISDIR || (result == -ENOENT && strcmp(path, "probe") == 0))) {
        return 0; /* librdkafka's own way to say: look in the usual places */
    }
    if (pem == NULL) {
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

/* As text: a NUL ends it, as it would for librdkafka. NULL: *error says why. */
static char *read_file(const char *path, int *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    char *text = NULL;

    if (fd < 0 || fstat(fd, &status) < 0) {
        *error = -errno;
    } else if (!S_ISREG(status.st_mode)) {
        *error = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    } else if (status.st_size > (off_t)KAFKA_KEYS_MAX_BYTES) {
        *error = -EFBIG;
    } else {
        text = calloc(1, (size_t)status.st_size + 1);
        *error = text != NULL ? read_all(fd, text, (size_t)status.st_size) : -ENOMEM;
        if (*error != 0) {
            free(text);
            text = NULL;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
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
