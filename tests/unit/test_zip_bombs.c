/* Archives made to cost time or memory: each is opened or refused at once, in little memory. */
#include "fixture.h"

#include <time.h>

#include "archive.h"
#include "books.h"

/* Far above what it takes, so that slow machines and checkers of memory pass too. */
enum { SECONDS = 20 };

static double now(void) {
    struct timespec time;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &time), 0);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

typedef struct tried {
    sft_status status;
    uint64_t count, odd, most;
} tried;

static void count_oddity(void *context, const sft_zip_oddity *oddity) {
    (void)oddity;
    (*(uint64_t *)context)++;
}

static tried try_to_open(const bytes *file, uint64_t entries, uint64_t memory) {
    held all;
    hold(&all, file->at, file->size);
    books kept = {0};
    sft_allocator allocator = books_allocator(&kept);
    tried result = {0};
    const sft_zip_options options = {.allocator = &allocator,
                                     .entries = entries,
                                     .memory = memory,
                                     .odd = count_oddity,
                                     .context = &result.odd};
    double begin = now();
    sft_zip zip;
    result.status = sft_zip_open(&zip, &all.region, &options, NULL);
    assert_true(now() - begin < SECONDS);
    result.count = zip.count;
    result.most = kept.most;
    sft_zip_free(&zip);
    assert_int_equal(kept.bytes, 0);
    sft_sources_free(&all.sources);
    return result;
}

enum { MANY = 200000 };

/* Many empty files, whose names a function makes. The directory can be in reverse order. */
static bytes many(void (*name)(char *to, size_t size, uint32_t number), bool reversed) {
    archive made = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        char text[40];
        name(text, sizeof text, i);
        archive_add_text(&made, text, "");
    }
    size_t record = made.directory.size / MANY;
    uint8_t *other = malloc(record);
    assert_non_null(other);
    for (uint32_t i = 0; i < MANY / 2 && reversed; i++) {
        uint8_t *a = made.directory.at + i * record;
        uint8_t *b = made.directory.at + (MANY - 1 - i) * record;
        memcpy(other, a, record);
        memcpy(a, b, record);
        memcpy(b, other, record);
    }
    free(other);
    archive_end64(&made);
    free(made.directory.at);
    return made.file;
}

static void plain_name(char *to, size_t size, uint32_t number) {
    snprintf(to, size, "archive/data/%06u", number);
}

static void same_name(char *to, size_t size, uint32_t number) {
    (void)number;
    snprintf(to, size, "archive/data/%06u", 0U);
}

/* All alike but for upper and lower case: the index does not tell them apart. */
static void name_in_cases(char *to, size_t size, uint32_t number) {
    snprintf(to, size, "x/abcdefghijklmnopqr");
    for (unsigned i = 0; i < 18; i++) {
        if ((number >> i & 1) != 0) {
            to[2 + i] = (char)(to[2 + i] - 'a' + 'A');
        }
    }
}

static void test_many_files(void **state) {
    (void)state;
    bytes file = many(plain_name, false);
    tried result = try_to_open(&file, 0, 0);
    assert_status(result.status, SFT_OK);
    assert_int_equal(result.count, MANY);
    assert_int_equal(result.odd, 0);
    assert_true(result.most < (uint64_t)MANY * 220);
    assert_status(try_to_open(&file, MANY - 1, 0).status, SFT_SOURCE_LIMIT);
    result = try_to_open(&file, 0, 10 << 20);
    assert_status(result.status, SFT_SOURCE_LIMIT);
    assert_int_equal(result.most, 0);
    free(file.at);
    file = many(plain_name, true);
    result = try_to_open(&file, 0, 0);
    assert_status(result.status, SFT_OK);
    assert_int_equal(result.odd, 0);
    free(file.at);
}

static void test_many_names_that_are_alike(void **state) {
    (void)state;
    bytes file = many(same_name, false);
    tried result = try_to_open(&file, 0, 0);
    assert_status(result.status, SFT_OK);
    assert_int_equal(result.odd, MANY - 1);
    free(file.at);
    file = many(name_in_cases, false);
    result = try_to_open(&file, 0, 0);
    assert_status(result.status, SFT_OK);
    assert_int_equal(result.odd, 0);
    free(file.at);
}

/* More files than the default limit are refused before anything is read. */
static void test_a_million_and_one(void **state) {
    (void)state;
    enum { COUNT = 1000001 };
    size_t size = (size_t)COUNT * 46;
    bytes file = {calloc(1, size + 98), 0, size + 98};
    assert_non_null(file.at);
    file.size = size;
    put(&file, "PK\6\6", 4);
    put_number(&file, 44, 8);
    put_number(&file, 0, 4);
    put_number(&file, 0, 8);
    put_number(&file, COUNT, 8);
    put_number(&file, COUNT, 8);
    put_number(&file, size, 8);
    put_number(&file, 0, 8);
    put(&file, "PK\6\7\0\0\0\0", 8);
    put_number(&file, size, 8);
    put_number(&file, 1, 4);
    put(&file, "PK\5\6\0\0\0\0\377\377\377\377\377\377\377\377\377\377\377\377\0\0", 22);
    tried result = try_to_open(&file, 0, 0);
    assert_status(result.status, SFT_SOURCE_LIMIT);
    assert_int_equal(result.most, 0);
    free(file.at);
}

/* Many files of the same bytes, which would unpack to far more than the archive has. */
static void test_files_that_share_their_bytes(void **state) {
    (void)state;
    archive made = {0};
    char *zeros = calloc(1, 1 << 20);
    assert_non_null(zeros);
    bytes packed = deflated(zeros, 1 << 20, -15);
    const archive_file of = {
        .name = "a", .data = packed.at, .data_size = packed.size, .method = 8, .size = 1 << 20};
    archive_add(&made, &of);
    uint8_t record[47];
    assert_int_equal(made.directory.size, sizeof record);
    memcpy(record, made.directory.at, sizeof record);
    for (int i = 0; i < 60000; i++) {
        put(&made.directory, record, sizeof record);
        made.count++;
    }
    archive_end(&made);
    tried result = try_to_open(&made.file, 0, 0);
    assert_status(result.status, SFT_MALFORMED_SOURCE);
    assert_int_equal(result.odd, 1);
    archive_free(&made);
    /* As quoted in a published bomb: each file's bytes begin with the next one's record. */
    made = (archive){0};
    archive_add_text(&made, "inner", "the bytes");
    bytes inner = made.file;
    made.file = (bytes){0};
    archive_add(&made, &(archive_file){.name = "outer", .data = inner.at, .data_size = inner.size});
    uint8_t *place = made.directory.at + 42;
    memcpy(place, "\43\0\0\0", 4);
    archive_end(&made);
    assert_status(try_to_open(&made.file, 0, 0).status, SFT_MALFORMED_SOURCE);
    archive_free(&made);
    free(inner.at);
    free(packed.at);
    free(zeros);
}

/* Zeros pack to a thousandth: what they unpack to is not made before it is asked for. */
static void test_deflate_bombs(void **state) {
    (void)state;
    enum { SIZE = 64 << 20 };
    char *zeros = calloc(1, SIZE);
    assert_non_null(zeros);
    bytes packed = deflated(zeros, SIZE, -15);
    free(zeros);
    assert_true(packed.size < 70000);
    static const struct {
        uint64_t declared, limit, size;
        bool limited;
    } cases[] = {
        {100, 0, 100, true},
        {SIZE, 1 << 20, 1 << 20, true},
        {SIZE, 0, SIZE, false},
        {UINT32_MAX - 1, 1 << 20, 1 << 20, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        archive made = {0};
        archive_add(&made, &(archive_file){.name = "a",
                                           .data = packed.at,
                                           .data_size = packed.size,
                                           .method = 8,
                                           .size = cases[i].declared});
        archive_end(&made);
        held all;
        hold(&all, made.file.at, made.file.size);
        books kept = {0};
        sft_allocator allocator = books_allocator(&kept);
        const sft_zip_options options = {.allocator = &allocator};
        sft_zip zip;
        assert_ok(sft_zip_open(&zip, &all.region, &options, NULL));
        const sft_zip_check_options limits = {.limit = cases[i].limit};
        sft_zip_content content;
        double begin = now();
        assert_ok(sft_zip_check(&zip, &zip.entries[0], &limits, &content, NULL));
        assert_true(now() - begin < SECONDS);
        assert_int_equal(content.size, cases[i].size);
        assert_int_equal(content.limited, cases[i].limited);
        assert_true(kept.most < 1 << 20);
        sft_zip_free(&zip);
        sft_sources_free(&all.sources);
        archive_free(&made);
    }
    free(packed.at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_files),
        cmocka_unit_test(test_many_names_that_are_alike),
        cmocka_unit_test(test_a_million_and_one),
        cmocka_unit_test(test_files_that_share_their_bytes),
        cmocka_unit_test(test_deflate_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
