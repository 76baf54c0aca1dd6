/* A folder of a test's own, and the files in it. Include after cmocka.h, with _GNU_SOURCE. */
#ifndef SFT_TESTS_SCRATCH_H
#define SFT_TESTS_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sft.h>

static char scratch_folder[256];

static inline int scratch_setup(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/sft-test-XXXXXX",
             base != NULL && base[0] != '\0' ? base : "/tmp");
    return mkdtemp(scratch_folder) != NULL ? 0 : -1;
}

static inline int scratch_remove_one(const char *path, const struct stat *status, int type,
                                     struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static inline int scratch_teardown(void **state) {
    (void)state;
    return nftw(scratch_folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the folder; good until the eighth call after this one. */
static inline const char *scratch(const char *name) {
    static char paths[8][1024];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
    return path;
}

typedef struct scratch_bytes {
    unsigned char *bytes; /* the caller frees it; ended by NUL */
    size_t size;
} scratch_bytes;

static inline scratch_bytes scratch_load(const char *name) {
    scratch_bytes all = {NULL, 0};
    FILE *file = fopen(scratch(name), "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    all.size = (size_t)ftell(file);
    rewind(file);
    all.bytes = malloc(all.size + 1);
    assert_non_null(all.bytes);
    assert_int_equal(fread(all.bytes, 1, all.size, file), all.size);
    all.bytes[all.size] = '\0';
    fclose(file);
    return all;
}

static inline void scratch_store(const char *name, const void *bytes, size_t size) {
    FILE *file = fopen(scratch(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline bool scratch_holds(const char *name, const void *bytes, size_t size) {
    scratch_bytes all = scratch_load(name);
    bool equal = all.size == size && memcmp(all.bytes, bytes, size) == 0;
    free(all.bytes);
    return equal;
}

/* How many names there are in a folder of the scratch folder ("." for itself). */
static inline int scratch_count(const char *name) {
    DIR *folder = opendir(scratch(name));
    assert_non_null(folder);
    int count = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(folder);
    return count;
}

static inline mode_t scratch_mode(const char *name) {
    struct stat status;
    assert_int_equal(stat(scratch(name), &status), 0);
    return status.st_mode & 07777;
}

/* Fails the test with the error's own words where a call did not end as it should. */
static inline void expect_status(sft_status got, sft_status wanted, const sft_error *error) {
    if (got != wanted) {
        char line[2048] = "";
        if (got != SFT_OK) {
            sft_error_format(error, line, sizeof line);
        }
        fail_msg("%s where %s was expected: %s", sft_status_name(got), sft_status_name(wanted),
                 line);
    }
}

#endif
