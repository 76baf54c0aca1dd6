/* Opening and reading one file: by path, descriptor, memory and callbacks; mapped and not. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                             "\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]},"
                             "\"b\":{\"dtype\":\"I16\",\"shape\":[3],\"data_offsets\":[4,10]}}";

static void check_contents(const sft_file *file, bool has_view) {
    uint8_t to[6];
    assert_int_equal(sft_count(file), 3);
    const sft_tensor *b = sft_find(file, "b", 1);
    assert_non_null(b);
    assert_ok(sft_read(file, b, to, 6, NULL));
    assert_memory_equal(to, "\4\5\6\7\10\11", 6);
    assert_ok(sft_read_part(file, b, 2, to, 3, NULL));
    assert_memory_equal(to, "\6\7\10", 3);
    assert_ok(sft_read_part(file, b, 6, NULL, 0, NULL));
    const uint8_t *view = sft_data(file, b);
    assert_int_equal(view != NULL, has_view);
    if (has_view) {
        assert_memory_equal(view, "\4\5\6\7\10\11", 6);
        assert_non_null(sft_data(file, sft_find(file, "e", 1)));
    }
    assert_ok(sft_read(file, sft_find(file, "e", 1), NULL, 0, NULL));
}

static void test_every_way_to_open(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    char path[64];
    fixture_save(&bytes, path);
    for (int access = SFT_ACCESS_AUTO; access <= SFT_ACCESS_READ; access++) {
        sft_open_options options = SFT_OPEN_OPTIONS;
        options.access = (sft_access)access;
        sft_file *file;
        assert_ok(sft_open(path, &options, &file, NULL));
        assert_int_equal(sft_file_size(file), bytes.size);
        check_contents(file, access != SFT_ACCESS_READ);
        sft_close(file);

        int fd = open(path, O_RDONLY);
        assert_ok(sft_open_fd(fd, &options, &file, NULL));
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
        close(fd);
        check_contents(file, access != SFT_ACCESS_READ);
        sft_close(file);

        assert_ok(sft_open_memory(bytes.bytes, bytes.size, &options, &file, NULL));
        check_contents(file, access != SFT_ACCESS_READ);
        sft_close(file);
    }
    unlink(path);
    free(bytes.bytes);
}

/* ---- the caller's functions ---- */

typedef struct fake {
    fixture_file file;
    size_t most;     /* bytes a read gives at once */
    int64_t failure; /* what read_at returns from a place on */
    uint64_t failing_from;
    int size_failure;
    int closed;
    bool maps;
} fake;

static int fake_size(void *context, uint64_t *size) {
    const fake *f = context;
    *size = f->file.size;
    return f->size_failure;
}

static int64_t fake_read(void *context, uint64_t offset, void *to, size_t size) {
    const fake *f = context;
    if (offset >= f->failing_from) {
        return f->failure;
    }
    size_t moved = size < f->most ? size : f->most;
    memcpy(to, f->file.bytes + offset, moved);
    return (int64_t)moved;
}

static const void *fake_map(void *context, uint64_t size) {
    const fake *f = context;
    assert_int_equal(size, f->file.size);
    return f->maps ? f->file.bytes : NULL;
}

static void fake_close(void *context) {
    ((fake *)context)->closed++;
}

static void test_callbacks(void **state) {
    (void)state;
    fake f = {.file = fixture_make(header, 10), .most = 3, .failing_from = UINT64_MAX};
    sft_source source = {&f, fake_size, fake_read, fake_map, fake_close};
    sft_open_options options = SFT_OPEN_OPTIONS;
    sft_file *file;
    assert_ok(sft_open_source(&source, NULL, &file, NULL));
    check_contents(file, false);
    sft_close(file);
    assert_int_equal(f.closed, 1);

    f.maps = true;
    assert_ok(sft_open_source(&source, NULL, &file, NULL));
    check_contents(file, true);
    sft_close(file);

    options.access = SFT_ACCESS_MAP;
    f.maps = false;
    assert_status(sft_open_source(&source, &options, &file, NULL), SFT_MAP_FAILED);
    assert_null(file);
    assert_int_equal(f.closed, 3);

    source.map = NULL;
    source.close = NULL;
    assert_ok(sft_open_source(&source, NULL, &file, NULL));
    sft_close(file);
    source.read_at = NULL;
    assert_status(sft_open_source(&source, NULL, &file, NULL), SFT_INVALID_ARGUMENT);
    free(f.file.bytes);
}

static void test_callbacks_that_fail(void **state) {
    (void)state;
    fake f = {.file = fixture_make(header, 10), .most = 100};
    sft_source source = {&f, fake_size, fake_read, NULL, fake_close};
    sft_file *file;
    sft_error error;
    f.failure = -EIO;
    for (f.failing_from = 0; f.failing_from < 100; f.failing_from += 20) {
        assert_status(sft_open_source(&source, NULL, &file, &error), SFT_READ_FAILED);
        assert_int_equal(error.system_error, EIO);
    }
    f.failure = 0; /* the end, too early */
    f.failing_from = 50;
    assert_status(sft_open_source(&source, NULL, &file, &error), SFT_FILE_SHRANK);
    f.failure = INT64_MAX; /* more than was asked for */
    assert_status(sft_open_source(&source, NULL, &file, &error), SFT_READ_FAILED);
    static const int64_t no_errno[] = {INT64_MIN, -INT64_MAX, -(INT64_C(1) << 32), INT32_MIN};
    for (size_t i = 0; i < sizeof no_errno / sizeof no_errno[0]; i++) {
        f.failure = no_errno[i];
        assert_status(sft_open_source(&source, NULL, &file, &error), SFT_READ_FAILED);
        assert_int_equal(error.system_error, EIO);
    }
    f.size_failure = EIO;
    assert_status(sft_open_source(&source, NULL, &file, &error), SFT_READ_FAILED);

    f.size_failure = 0;
    f.failing_from = UINT64_MAX;
    assert_ok(sft_open_source(&source, NULL, &file, &error));
    f.failing_from = f.file.size - 6;
    f.failure = -EIO;
    uint8_t to[6];
    assert_status(sft_read(file, sft_find(file, "b", 1), to, 6, &error), SFT_READ_FAILED);
    assert_memory_equal(error.tensor, "b", 2);
    assert_int_equal(error.byte, f.file.size - 6);
    sft_close(file);
    free(f.file.bytes);
}

/* Neighbours are read as one; the failure names the tensor that it struck. */
static void test_joined_reads_blame_the_right_tensor(void **state) {
    (void)state;
    static const char three[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                                "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[4,7]},"
                                "\"c\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[7,10]},"
                                "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[10,10]}}";
    fake f = {.file = fixture_make(three, 10), .most = 1, .failing_from = UINT64_MAX};
    sft_source source = {&f, fake_size, fake_read, NULL, NULL};
    sft_file *file;
    assert_ok(sft_open_source(&source, NULL, &file, NULL));
    uint8_t to[10];
    const sft_tensor *empty = sft_find(file, "z", 1);
    const sft_read_request requests[] = {{file, sft_find(file, "a", 1), NULL, 0, to, 4},
                                         {file, empty, NULL, 0, NULL, 0},
                                         {file, sft_find(file, "b", 1), NULL, 0, to + 4, 3},
                                         {file, empty, NULL, 0, NULL, 0},
                                         {file, sft_find(file, "c", 1), NULL, 0, to + 7, 3}};
    static const char struck[] = "aaaabbbccc";
    f.failure = -EIO;
    for (unsigned i = 0; i < 10; i++) {
        f.failing_from = f.file.size - 10 + i;
        sft_error error;
        assert_status(sft_read_many(requests, 5, NULL, &error), SFT_READ_FAILED);
        assert_int_equal(error.byte, f.failing_from);
        assert_int_equal(error.tensor[0], struck[i]);
    }
    sft_close(file);
    free(f.file.bytes);
}

/* ---- what cannot be opened ---- */

static void test_what_is_no_file(void **state) {
    (void)state;
    sft_file *file;
    sft_error error;
    assert_status(sft_open("/nonexistent/x", NULL, &file, &error), SFT_OPEN_FAILED);
    assert_int_equal(error.system_error, ENOENT);
    assert_string_equal(error.file, "/nonexistent/x");
    assert_status(sft_open("", NULL, &file, &error), SFT_OPEN_FAILED);
    assert_status(sft_open("/tmp", NULL, &file, &error), SFT_NOT_A_FILE);
    assert_status(sft_open("/dev/null", NULL, &file, &error), SFT_NOT_A_FILE);
    assert_status(sft_open_fd(-1, NULL, &file, &error), SFT_OPEN_FAILED);
    assert_int_equal(error.system_error, EBADF);
    assert_status(sft_open(NULL, NULL, &file, &error), SFT_INVALID_ARGUMENT);
    assert_status(sft_open("x", NULL, NULL, &error), SFT_INVALID_ARGUMENT);

    char folder[] = "/tmp/sft-test-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(10); /* a pipe without a writer must not be waited for */
    assert_status(sft_open(path, NULL, &file, &error), SFT_NOT_A_FILE);
    alarm(0);
    unlink(path);
    snprintf(path, sizeof path, "%s/loop", folder);
    assert_int_equal(symlink("loop", path), 0);
    assert_status(sft_open(path, NULL, &file, &error), SFT_OPEN_FAILED);
    assert_int_equal(error.system_error, ELOOP);
    unlink(path);
    rmdir(folder);
}

static void test_wrong_arguments(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    sft_file *file;
    sft_file *other;
    uint8_t to[10];
    assert_ok(sft_open_memory(bytes.bytes, bytes.size, NULL, &file, NULL));
    assert_ok(sft_open_memory(bytes.bytes, bytes.size, NULL, &other, NULL));
    const sft_tensor *b = sft_find(file, "b", 1);
    assert_status(sft_read(file, b, to, 5, NULL), SFT_BUFFER_SIZE);
    assert_status(sft_read(file, b, NULL, 6, NULL), SFT_INVALID_ARGUMENT);
    assert_status(sft_read(file, sft_find(other, "b", 1), to, 6, NULL), SFT_INVALID_ARGUMENT);
    assert_null(sft_data(file, sft_find(other, "b", 1)));
    assert_null(sft_data(file, NULL));
    assert_status(sft_read_part(file, b, 5, to, 2, NULL), SFT_OUT_OF_BOUNDS);
    assert_status(sft_read_part(file, b, UINT64_MAX, to, 2, NULL), SFT_OUT_OF_BOUNDS);
    sft_file *third;
    assert_status(sft_open_memory(NULL, 5, NULL, &third, NULL), SFT_INVALID_ARGUMENT);
    assert_null(third);
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = (sft_access)9;
    assert_status(sft_open_memory(bytes.bytes, bytes.size, &options, &third, NULL),
                  SFT_INVALID_ARGUMENT);
    sft_close(file);
    sft_close(other);
    sft_close(NULL);
    free(bytes.bytes);
}

/* A file cut short after it was opened: reads say so, and no signal is raised, mapped or not. */
static void test_a_file_that_shrinks(void **state) {
    (void)state;
    const size_t size = 3 << 20;
    char text[128];
    snprintf(text, sizeof text,
             "{\"w\":{\"dtype\":\"U8\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", size, size);
    uint8_t *to = malloc(size);
    assert_non_null(to);
    for (int access = SFT_ACCESS_MAP; access <= SFT_ACCESS_READ; access++) {
        fixture_file bytes = fixture_make(text, size);
        char path[64];
        fixture_save(&bytes, path);
        sft_open_options options = SFT_OPEN_OPTIONS;
        options.access = (sft_access)access;
        sft_file *file;
        sft_error error;
        assert_ok(sft_open(path, &options, &file, NULL));
        assert_int_equal(truncate(path, 100000), 0);
        const sft_tensor *w = sft_at(file, 0);
        assert_status(sft_read(file, w, to, size, &error), SFT_FILE_SHRANK);
        assert_int_equal(error.byte, 100000);
        assert_string_equal(error.file, path);
        sft_range step[] = {{SFT_RANGE, 0, SFT_END, 8}};
        assert_status(sft_read_slice(file, w, step, 1, to, size / 8, &error), SFT_FILE_SHRANK);
        sft_read_request request = {file, w, NULL, 0, to, size};
        assert_status(sft_read_many(&request, 1, NULL, &error), SFT_FILE_SHRANK);
        assert_memory_equal(error.tensor, "w", 1);
        sft_close(file);
        unlink(path);
        free(bytes.bytes);
    }
    free(to);
}

/* What was checked at open stays, whatever happens to a mapped file's header afterwards. */
static void test_a_header_that_changes(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    char path[64];
    fixture_save(&bytes, path);
    sft_file *file;
    assert_ok(sft_open(path, NULL, &file, NULL));
    int fd = open(path, O_WRONLY);
    char zeros[100] = {0};
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0), sizeof zeros);
    close(fd);
    check_contents(file, true);
    sft_close(file);
    unlink(path);
    free(bytes.bytes);
}

/* ---- many at once ---- */

enum { MANY = 300 };

static fixture_file make_many(void) {
    static char text[MANY * 80];
    size_t used = 0;
    size_t at = 0;
    for (size_t i = 0; i < MANY; i++) {
        size_t size = i * 997 % 20011;
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%c\"t%zu\":{\"dtype\":\"U8\",\"shape\":[%zu],\"data_offsets\":"
                                 "[%zu,%zu]}",
                                 i == 0 ? '{' : ',', i, size, at, at + size);
        at += size;
    }
    snprintf(text + used, sizeof text - used, "}");
    return fixture_make(text, at);
}

static void test_many_tensors_into_many_buffers(void **state) {
    (void)state;
    fixture_file bytes = make_many();
    char path[64];
    fixture_save(&bytes, path);
    sft_file *file;
    assert_ok(sft_open(path, NULL, &file, NULL));
    static sft_read_request requests[MANY + 1];
    for (uint32_t threads = 0; threads < 9; threads += 2) {
        sft_read_options options = SFT_READ_OPTIONS;
        options.threads = threads;
        for (size_t i = 0; i < MANY; i++) {
            const sft_tensor *tensor = sft_at(file, MANY - 1 - i);
            size_t size = (size_t)(tensor->end - tensor->begin);
            requests[i] = (sft_read_request){file, tensor, NULL, 0, malloc(size + 1), size};
        }
        sft_range half[] = {{SFT_RANGE, 1, SFT_END, 2}};
        const sft_tensor *sliced = sft_find(file, "t20", 3);
        size_t half_size = (size_t)(sliced->end - sliced->begin) / 2;
        requests[MANY] = (sft_read_request){file, sliced, half, 1, malloc(half_size), half_size};
        assert_ok(sft_read_many(requests, MANY + 1, &options, NULL));
        for (size_t i = 0; i < MANY; i++) {
            assert_memory_equal(requests[i].to, sft_data(file, requests[i].tensor),
                                (size_t)requests[i].size);
            free(requests[i].to);
        }
        const uint8_t *from = sft_data(file, sliced);
        for (uint64_t i = 0; i < half_size; i++) {
            assert_int_equal(((const uint8_t *)requests[MANY].to)[i], from[2 * i + 1]);
        }
        free(requests[MANY].to);
    }
    sft_close(file);
    unlink(path);
    free(bytes.bytes);
}

static void test_many_are_checked_before_any_is_read(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    sft_file *file;
    assert_ok(sft_open_memory(bytes.bytes, bytes.size, NULL, &file, NULL));
    uint8_t a[4] = {9, 9, 9, 9};
    uint8_t b[6];
    sft_read_request requests[] = {{file, sft_find(file, "a", 1), NULL, 0, a, 4},
                                   {file, sft_find(file, "b", 1), NULL, 0, b, 5}};
    sft_error error;
    assert_status(sft_read_many(requests, 2, NULL, &error), SFT_BUFFER_SIZE);
    assert_memory_equal(error.tensor, "b", 1);
    assert_int_equal(a[0], 9);
    assert_status(sft_read_many(NULL, 2, NULL, &error), SFT_INVALID_ARGUMENT);
    assert_ok(sft_read_many(NULL, 0, NULL, &error));
    sft_close(file);
    free(bytes.bytes);
}

/* Ten thousand rounds leave as many bytes and descriptors as one. */
typedef struct ledger {
    size_t held;
    size_t calls;
} ledger;

static void *ledger_allocate(void *context, size_t size) {
    ((ledger *)context)->held += size;
    ((ledger *)context)->calls++;
    return malloc(size);
}

static void *ledger_reallocate(void *context, void *memory, size_t old_size, size_t new_size) {
    ((ledger *)context)->held += new_size - old_size;
    return realloc(memory, new_size);
}

static void ledger_release(void *context, void *memory, size_t size) {
    ((ledger *)context)->held -= size;
    free(memory);
}

static void test_rounds_leave_nothing(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    char path[64];
    fixture_save(&bytes, path);
    ledger account = {0, 0};
    sft_allocator allocator = {&account, ledger_allocate, ledger_reallocate, ledger_release};
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.allocator = &allocator;
    int before = dup(0);
    close(before);
    for (int i = 0; i < 10000; i++) {
        sft_file *file;
        options.access = (sft_access)(i % 3);
        assert_ok(sft_open(path, &options, &file, NULL));
        sft_close(file);
        assert_int_equal(account.held, 0);
    }
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
    assert_true(account.calls >= 30000);
    unlink(path);
    free(bytes.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way_to_open),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_callbacks_that_fail),
        cmocka_unit_test(test_joined_reads_blame_the_right_tensor),
        cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_a_file_that_shrinks),
        cmocka_unit_test(test_a_header_that_changes),
        cmocka_unit_test(test_many_tensors_into_many_buffers),
        cmocka_unit_test(test_many_are_checked_before_any_is_read),
        cmocka_unit_test(test_rounds_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
