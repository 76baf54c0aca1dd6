/* Tar archives: members, long names, numbers of all kinds, and what is wrong with them. */
#include "fixture.h"

#include "archive.h"
#include "books.h"
#include "checkpoint/tar.h"

enum { RECORD = 512 };

/* A member's header; `size` is written in octal digits. */
static size_t add_header(bytes *to, const char *name, char type, size_t size) {
    char header[RECORD] = {0};
    snprintf(header, 101, "%s", name);
    snprintf(header + 100, 8, "0000644");
    snprintf(header + 124, 12, "%011o", (unsigned)size);
    header[156] = type;
    memcpy(header + 257, "ustar\00000", 8);
    put(to, header, sizeof header);
    return to->size - RECORD;
}

/* The sum, once the header is as it should be. */
static void sign(bytes *in, size_t at) {
    uint32_t sum = 0;
    memset(in->at + at + 148, ' ', 8);
    for (size_t i = 0; i < RECORD; i++) {
        sum += in->at[at + i];
    }
    snprintf((char *)in->at + at + 148, 8, "%06o", sum);
}

static void add_bytes(bytes *to, const void *data, size_t size) {
    static const char zeros[RECORD];
    put(to, data, size);
    put(to, zeros, (RECORD - size % RECORD) % RECORD);
}

static void add_member(bytes *to, const char *name, char type, const void *data, size_t size) {
    size_t at = add_header(to, name, type, size);
    sign(to, at);
    add_bytes(to, data, size);
}

static void add_end(bytes *to) {
    static const char zeros[2 * RECORD];
    put(to, zeros, sizeof zeros);
}

/* All names, with a blank behind each; a "/" before it for what is no regular file. */
static sft_status list(const bytes *file, char *names, size_t room, sft_error *error) {
    held all;
    hold(&all, file->at, file->size);
    uint64_t position = 0;
    bool found = true;
    sft_status status = SFT_OK;
    names[0] = '\0';
    while (found && status == SFT_OK) {
        sft_tar_member member;
        status = sft_tar_next(&all.region, &position, &all.sources, &member, &found, error);
        if (status == SFT_OK && found) {
            size_t used = strlen(names);
            snprintf(names + used, room - used, "%.900s:%u%s ", member.name,
                     (unsigned)member.region.size, member.regular ? "" : "!");
        }
    }
    sft_sources_free(&all.sources);
    return status;
}

static void expect_list(bytes *file, const char *wanted) {
    char names[4096];
    sft_error error;
    expect_ok(list(file, names, sizeof names, &error), &error);
    assert_string_equal(names, wanted);
    free(file->at);
    *file = (bytes){0};
}

static void expect_refused(bytes *file, sft_status status, const char *words) {
    char names[4096];
    sft_error error = {0};
    assert_status(list(file, names, sizeof names, &error), status);
    if (strstr(error.message, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, error.message);
    }
    free(file->at);
    *file = (bytes){0};
}

static void test_members_are_listed(void **state) {
    (void)state;
    bytes file = {0};
    add_member(&file, "storages", '0', "12345", 5);
    add_member(&file, "folder/", '5', NULL, 0);
    add_member(&file, "old-folder/", '\0', NULL, 0);
    add_member(&file, "tensors", '\0', NULL, 0);
    add_member(&file, "of-no-known-kind", 'Z', "abc", 3);
    size_t at = add_header(&file, "link", '2', 100);
    sign(&file, at);
    add_end(&file);
    add_member(&file, "behind", '0', NULL, 0);
    expect_list(&file, "storages:5 folder/:0! old-folder/:0! tensors:0 of-no-known-kind:3 "
                       "link:0! ");
    /* The end of the file is an end too. */
    add_member(&file, "a", '0', "1", 1);
    expect_list(&file, "a:1 ");
}

static void test_members_are_found(void **state) {
    (void)state;
    bytes file = {0};
    add_member(&file, "./pickle", '0', "old", 3);
    add_member(&file, "tensors", '0', "t", 1);
    add_member(&file, "pickle", '0', "newer", 5);
    add_member(&file, "pickle", '5', NULL, 0);
    add_end(&file);
    held all;
    hold(&all, file.at, file.size);
    sft_region member;
    char text[6] = "";
    assert_ok(sft_tar_find(&all.region, "pickle", &all.sources, &member, NULL));
    assert_int_equal(member.size, 5);
    assert_ok(sft_region_read(&member, 0, text, 5, NULL));
    assert_string_equal(text, "newer");
    assert_string_equal(member.label, "pickle");
    assert_status(sft_tar_find(&all.region, "storages", &all.sources, &member, NULL),
                  SFT_NOT_FOUND);
    sft_sources_free(&all.sources);
    free(file.at);
}

static void test_long_names(void **state) {
    (void)state;
    char name[301];
    char wanted[512];
    memset(name, 'n', 300);
    name[300] = '\0';
    snprintf(wanted, sizeof wanted, "%s:1 b:1 ", name);
    bytes file = {0};
    add_member(&file, "././@LongLink", 'L', name, 301);
    add_member(&file, "cut", '0', "1", 1);
    add_member(&file, "b", '0', "1", 1);
    expect_list(&file, wanted);
    /* As pax has it: "310 path=" and 300 letters and a newline. */
    char pax[400];
    snprintf(pax, sizeof pax, "310 path=%s\n13 comment=x\n", name);
    add_member(&file, "PaxHeaders/cut", 'x', pax, strlen(pax));
    add_member(&file, "cut", '0', "1", 1);
    add_member(&file, "b", '0', "1", 1);
    expect_list(&file, wanted);
    /* In two parts. */
    size_t at = add_header(&file, "name", '0', 0);
    memcpy(file.at + at + 345, "some/folder", 11);
    sign(&file, at);
    expect_list(&file, "some/folder/name:0 ");
    /* Both parts full: no NUL ends them. */
    at = add_header(&file, name, '0', 0);
    memset(file.at + at, 'n', 100);
    memset(file.at + at + 345, 'p', 155);
    sign(&file, at);
    snprintf(wanted, sizeof wanted, "%.155s/%.100s:0 ",
             "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
             "ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp",
             name);
    expect_list(&file, wanted);
    /* Longer than there is room for. */
    char *longest = malloc(5000);
    assert_non_null(longest);
    memset(longest, 'm', 5000);
    add_member(&file, "././@LongLink", 'L', longest, 5000);
    add_member(&file, "cut", '0', "1", 1);
    snprintf(wanted, sizeof wanted, "%.5s", longest);
    char names[4096];
    assert_ok(list(&file, names, sizeof names, NULL));
    assert_memory_equal(names, wanted, 5);
    free(file.at);
    free(longest);
}

static void test_sizes_of_all_kinds(void **state) {
    (void)state;
    bytes file = {0};
    size_t at = add_header(&file, "base-256", '0', 0);
    memset(file.at + at + 124, 0, 12);
    file.at[at + 124] = 0x80;
    file.at[at + 135] = 3;
    sign(&file, at);
    add_bytes(&file, "abc", 3);
    at = add_header(&file, "blanks", '0', 0);
    memcpy(file.at + at + 124, "   5        ", 12);
    sign(&file, at);
    add_bytes(&file, "abcde", 5);
    add_member(&file, "pax", 'x', "9 size=4\n", 9);
    add_member(&file, "pax", '0', NULL, 0);
    add_bytes(&file, "abcd", 4);
    add_member(&file, "last", '0', NULL, 0);
    expect_list(&file, "base-256:3 blanks:5 pax:4 last:0 ");
}

static void test_sums_of_signed_bytes(void **state) {
    (void)state;
    bytes file = {0};
    size_t at = add_header(&file, "caf\xe9", '0', 0);
    sign(&file, at);
    uint32_t sum = (uint32_t)strtoul((char *)file.at + at + 148, NULL, 8) - 256;
    snprintf((char *)file.at + at + 148, 8, "%06o", sum);
    assert_true(sft_tar_begins(file.at, file.size));
    expect_list(&file, "caf\xe9:0 ");
}

static void test_what_is_wrong_is_refused(void **state) {
    (void)state;
    bytes file = {0};
    add_member(&file, "a", '0', "abc", 3);
    file.at[3]++;
    assert_false(sft_tar_begins(file.at, file.size));
    expect_refused(&file, SFT_MALFORMED_SOURCE, "checksum");
    /* Ends behind the file. */
    size_t at = add_header(&file, "a", '0', 513);
    sign(&file, at);
    add_bytes(&file, "abc", 3);
    expect_refused(&file, SFT_MALFORMED_SOURCE, "ends behind");
    at = add_header(&file, "a", 'L', 513);
    sign(&file, at);
    add_bytes(&file, "abc", 3);
    expect_refused(&file, SFT_MALFORMED_SOURCE, "ends behind");
    /* Sizes that wrap around, are negative, or no numbers. */
    static const char *const sizes[] = {"\x80\0\0\0\377\377\377\377\377\377\377\377",
                                        "\x80\1\0\0\0\0\0\0\0\0\0\1",
                                        "\377\377\377\377\377\377\377\377\377\377\377\377",
                                        "0000000000x",
                                        "-0000000001",
                                        "777777777777"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        at = add_header(&file, "a", '0', 0);
        memcpy(file.at + at + 124, sizes[i], 12);
        sign(&file, at);
        expect_refused(&file, SFT_MALFORMED_SOURCE, "");
    }
    /* Half a header. */
    put(&file, "abc", 3);
    expect_refused(&file, SFT_MALFORMED_SOURCE, "512 bytes are needed");
}

static void test_pax_headers_that_are_wrong(void **state) {
    (void)state;
    static const struct {
        const char *text;
        sft_status status;
        const char *words;
    } cases[] = {
        {"x path=a\n", SFT_MALFORMED_SOURCE, "damaged"},
        {"99 path=a\n", SFT_MALFORMED_SOURCE, "damaged"},
        {"8 path=a\n", SFT_MALFORMED_SOURCE, "damaged"},
        {"7 path\n\n", SFT_MALFORMED_SOURCE, "damaged"},
        {"2 \n", SFT_MALFORMED_SOURCE, "damaged"},
        {"0 \n", SFT_MALFORMED_SOURCE, "damaged"},
        {"99999999999999999999999 a=b\n", SFT_MALFORMED_SOURCE, "damaged"},
        {"10 size=1x\n", SFT_MALFORMED_SOURCE, "damaged"},
        {"11 size=1x\n", SFT_MALFORMED_SOURCE, "no number"},
        {"29 size=18446744073709551616\n", SFT_MALFORMED_SOURCE, "no number"},
        {"29 size=18446744073709551615\n", SFT_MALFORMED_SOURCE, "ends behind"},
        {"22 GNU.sparse.major=1\n", SFT_UNSUPPORTED_SOURCE, "sparse"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes file = {0};
        add_member(&file, "pax", 'x', cases[i].text, strlen(cases[i].text));
        add_member(&file, "a", '0', NULL, 0);
        expect_refused(&file, cases[i].status, cases[i].words);
    }
    bytes file = {0};
    add_member(&file, "pax", 'g', "10 path=a\n", 10);
    add_member(&file, "b", '0', NULL, 0);
    expect_refused(&file, SFT_UNSUPPORTED_SOURCE, "all members");
    add_member(&file, "pax", 'g', "13 comment=a\n", 13);
    add_member(&file, "b", '0', NULL, 0);
    expect_list(&file, "b:0 ");
    /* Of what is said twice, POSIX has the last count, and tarfile the first. */
    add_member(&file, "././@LongLink", 'L', "first", 6);
    add_member(&file, "././@LongLink", 'L', "second", 7);
    add_member(&file, "b", '0', NULL, 0);
    expect_refused(&file, SFT_UNSUPPORTED_SOURCE, "twice");
    add_member(&file, "././@LongLink", 'L', "first", 6);
    add_member(&file, "pax", 'x', "10 path=a\n", 10);
    add_member(&file, "b", '0', NULL, 0);
    expect_refused(&file, SFT_UNSUPPORTED_SOURCE, "twice");
    add_member(&file, "pax", 'x', "10 size=2\n", 10);
    add_member(&file, "pax", 'x', "10 size=3\n", 10);
    add_member(&file, "b", '0', "abc", 3);
    expect_refused(&file, SFT_UNSUPPORTED_SOURCE, "twice");
    add_member(&file, "././@LongLink", 'L', "name", 5);
    add_member(&file, "pax", 'x', "10 size=3\n", 10);
    add_member(&file, "b", '0', "abc", 3);
    expect_list(&file, "name:3 ");
    add_member(&file, "a", 'S', NULL, 0);
    expect_refused(&file, SFT_UNSUPPORTED_SOURCE, "sparse");
    char *longest = calloc(1, 70000);
    assert_non_null(longest);
    add_member(&file, "a", 'L', longest, 70000);
    expect_refused(&file, SFT_SOURCE_LIMIT, "longer");
    free(longest);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    bytes file = {0};
    add_member(&file, "././@LongLink", 'L', "name", 5);
    add_member(&file, "cut", '0', "1", 1);
    held all;
    hold(&all, file.at, file.size);
    for (uint64_t fail = 1; fail <= 2; fail++) {
        books kept = {.fail_at = fail};
        sft_allocator allocator = books_allocator(&kept);
        sft_sources sources;
        sft_sources_init(&sources, &allocator);
        uint64_t position = 0;
        sft_tar_member member;
        bool found;
        sft_status status = sft_tar_next(&all.region, &position, &sources, &member, &found, NULL);
        assert_status(status, kept.calls >= fail ? SFT_NO_MEMORY : SFT_OK);
        assert_true(fail > 1 || status == SFT_NO_MEMORY);
        sft_sources_free(&sources);
        assert_int_equal(kept.bytes, 0);
    }
    sft_sources_free(&all.sources);
    free(file.at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_listed),
        cmocka_unit_test(test_members_are_found),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_sizes_of_all_kinds),
        cmocka_unit_test(test_sums_of_signed_bytes),
        cmocka_unit_test(test_what_is_wrong_is_refused),
        cmocka_unit_test(test_pax_headers_that_are_wrong),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
