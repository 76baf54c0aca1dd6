/* What is in a file, and in that: archives, pickles behind pickles, texts for loaders. */
#define _GNU_SOURCE
#include "fixture.h"

#include "archive.h"
#include "scans.h"

#include <sft/scan.h>

/* ---- pickles in a row ---- */

static void every_pickle_of_a_row_is_walked(void **state) {
    (void)state;
    expect_scan(BYTES("N.N."), "clean pickle:");
    expect_scan(BYTES(HARMLESS HARMLESS PAYLOAD),
                "dangerous pickle: DANGEROUS_GLOBAL@14 DANGEROUS_CALL@33");
}

static void what_follows_the_last_pickle_is_told(void **state) {
    (void)state;
    expect_scan(BYTES("N.\n"), "unknown pickle: TRAILING_BYTES@2");
    /* An import counts there too, even if nothing comes of it. */
    expect_scan(BYTES("N.cos\nsystem\n\xff"),
                "dangerous pickle: DANGEROUS_GLOBAL@2 TRAILING_BYTES@2");
}

static void effects_before_an_error_count(void **state) {
    (void)state;
    expect_scan(BYTES("\x80\x02"
                      "cos\nsystem\n\xff"),
                "dangerous pickle: DANGEROUS_GLOBAL@2 BROKEN@13");
    expect_scan(BYTES("cos\nsystem\n("), "dangerous pickle: DANGEROUS_GLOBAL@0 TRUNCATED@12");
    expect_scan(BYTES("\x80\x02}"), "malformed pickle: TRUNCATED@3");
    expect_scan(BYTES("\x80\x02\xff"), "malformed pickle: BROKEN@2");
}

static void what_is_no_file_of_ours_is_not_recognized(void **state) {
    (void)state;
    static const char *const texts[] = {"# A title\n", "(some text)", "{\"a\": 1}",
                                        "\x82\xa1\x61\x01"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sft_scan_result *result = scan_with(texts[i], strlen(texts[i]), NULL);
        expect_line(result, "malformed unrecognized: UNSUPPORTED");
        assert_false(sft_scan_recognized(result));
        sft_scan_free(result);
    }
    expect_scan("", 0, "malformed unrecognized: TRUNCATED");
    expect_scan(BYTES("7z\xbc\xaf\x27\x1c\0\4"), "malformed 7z: UNSUPPORTED");
}

static void more_pickles_than_are_looked_at_are_a_limit(void **state) {
    (void)state;
    size_t size = 300000;
    char *row = malloc(size);
    assert_non_null(row);
    for (size_t i = 0; i < size; i += 2) {
        memcpy(row + i, "N.", 2);
    }
    expect_scan(row, 2000, "clean pickle:");
    expect_scan(row, size, "malformed pickle: LIMIT@200000");
    free(row);
}

/* ---- texts for loaders ---- */

#define LOAD "ctorch.storage\n_load_from_bytes\n"

static void a_text_for_a_loader_is_a_file_of_its_own(void **state) {
    (void)state;
    expect_scan(BYTES("\x80\x03" LOAD "C\x04"
                      "\x80\x02}."
                      "\x85R."),
                "clean pickle:");
    expect_scan(BYTES("\x80\x03" LOAD "C\x17" PAYLOAD "\x85R."),
                "dangerous pickle: DANGEROUS_GLOBAL(text for byte 60)@2 "
                "DANGEROUS_CALL(text for byte 60)@21");
    expect_scan(BYTES("\x80\x03" LOAD "C\x02no\x85R."),
                "malformed pickle: UNSUPPORTED(text for byte 39)");
    /* What is handed to nobody is data. */
    expect_scan(BYTES("\x80\x03"
                      "C\x17" PAYLOAD "."),
                "clean pickle:");
}

static void findings_come_in_the_order_of_loading(void **state) {
    (void)state;
    expect_scan(BYTES("\x80\x03"
                      "ca\nb\n0" LOAD "C\x17" PAYLOAD "\x85R0"
                      "ca\nc\n."),
                "dangerous pickle: UNKNOWN_GLOBAL@2 DANGEROUS_GLOBAL(text for byte 66)@2 "
                "DANGEROUS_CALL(text for byte 66)@21 UNKNOWN_GLOBAL@68");
}

static void a_text_that_is_handed_on_often_is_walked_once(void **state) {
    (void)state;
    expect_scan(BYTES("\x80\x03" LOAD "q\0C\x06"
                      "ca\nb\n."
                      "q\x01\x85R0"
                      "h\0h\x01\x85R."),
                "unknown pickle: UNKNOWN_GLOBAL(text for byte 47)@0");
}

/* Protocol 2 has no bytes: they are encoded as latin1. */
static void a_text_in_latin1_is_decoded(void **state) {
    (void)state;
    expect_scan(BYTES("\x80\x02" LOAD "c_codecs\nencode\nX\x19\0\0\0"
                      "\xc2\x80\x02"
                      "cos\nsystem\nX\x02\0\0\0id\xc2\x85R."
                      "X\x06\0\0\0latin1\x86R\x85R."),
                "dangerous pickle: DANGEROUS_GLOBAL(text for byte 94)@2 "
                "DANGEROUS_CALL(text for byte 94)@21");
}

/* ---- zip archives ---- */

static void expect_archive(archive *made, const sft_scan_options *options, const char *wanted) {
    archive_end(made);
    expect_scan_with(made->file.at, made->file.size, options, wanted);
    archive_free(made);
}

static void add(archive *to, const char *name, const void *data, size_t size) {
    const archive_file of = {.name = name, .data = data, .data_size = size};
    archive_add(to, &of);
}

static void every_member_is_walked_whatever_its_name(void **state) {
    (void)state;
    archive made = {0};
    add(&made, "a/data.pkl", BYTES(HARMLESS));
    add(&made, "a/version", BYTES("3\n"));
    expect_archive(&made, NULL, "clean torch_zip:");
    add(&made, "a/DATA.PKL", BYTES(PAYLOAD));
    expect_archive(&made, NULL,
                   "dangerous torch_zip: DANGEROUS_GLOBAL(a/DATA.PKL)@2 "
                   "DANGEROUS_CALL(a/DATA.PKL)@21");
    add(&made, "read me.txt", BYTES(PAYLOAD));
    expect_archive(&made, NULL,
                   "dangerous zip: NESTED_PICKLE(read me.txt)@0 DANGEROUS_GLOBAL(read me.txt)@2 "
                   "DANGEROUS_CALL(read me.txt)@21");
}

static void a_member_must_be_what_its_name_says(void **state) {
    (void)state;
    archive made = {0};
    add(&made, "a/data.pkl", BYTES("no pickle"));
    expect_archive(&made, NULL, "malformed torch_zip: BROKEN(a/data.pkl)@0");
    add(&made, "a/data.pkl", "", 0);
    expect_archive(&made, NULL, "malformed torch_zip: TRUNCATED(a/data.pkl)");
}

static void storages_are_data_unless_they_are_pickles(void **state) {
    (void)state;
    archive made = {0};
    add(&made, "a/data.pkl", BYTES(HARMLESS));
    add(&made, "a/data/0", BYTES("\x80\x02random"));
    add(&made, "a/data/1", BYTES("cos\nsystem\n and so on"));
    add(&made, "a/data/2", BYTES("PK\3\4 and so on"));
    add(&made, "a/data/3", BYTES("7z\xbc\xaf\x27\x1c\0\4"));
    add(&made, "a/data/4", BYTES("\x82\x01.N."));
    add(&made, "a/data/5", BYTES("\x80\x02\x82\x01.N."));
    expect_archive(&made, NULL,
                   "unknown torch_zip: NESTED_PICKLE(a/data/5)@0 EXTENSION_CODE(a/data/5)@2");
    add(&made, "a/data.pkl", BYTES(HARMLESS));
    add(&made, "a/data/0",
        BYTES("\x80\x02"
              "cos\nsystem\n\xff"));
    expect_archive(&made, NULL,
                   "dangerous torch_zip: NESTED_PICKLE(a/data/0)@0 DANGEROUS_GLOBAL(a/data/0)@2");
}

static void a_storage_has_the_size_that_is_asked_for(void **state) {
    (void)state;
    static const char asking[] = "\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\n"
                                 "X\x01\0\0\0"
                                 "0X\x03\0\0\0cpuK\x02tQ.";
    archive made = {0};
    add(&made, "a/data.pkl", BYTES(asking));
    add(&made, "a/data/0", BYTES("12345678"));
    expect_archive(&made, NULL, "clean torch_zip:");
    add(&made, "a/data.pkl", BYTES(asking));
    add(&made, "a/data/0", BYTES("1234567"));
    expect_archive(&made, NULL, "malformed torch_zip: STORAGE_SIZE(a/data.pkl)@52");
}

static void checksums_are_a_warning_unless_none_was_written(void **state) {
    (void)state;
    archive made = {0};
    const archive_file wrong = {.name = "a/data.pkl", .data = HARMLESS, .data_size = 6, .crc = 1};
    archive_add(&made, &wrong);
    expect_archive(&made, NULL, "clean torch_zip: ZIP_CHECKSUM(a/data.pkl)");
    const archive_file none = {
        .name = "a/data.pkl", .data = HARMLESS, .data_size = 6, .no_crc = true};
    archive_add(&made, &none);
    expect_archive(&made, NULL, "clean torch_zip:");
    archive_add(&made, &none);
    add(&made, "a/version", BYTES("3\n"));
    expect_archive(&made, NULL, "clean torch_zip: ZIP_CHECKSUM(a/data.pkl)");
}

static void a_program_beside_the_data_is_told(void **state) {
    (void)state;
    archive made = {0};
    add(&made, "a/data.pkl", BYTES(HARMLESS));
    add(&made, "a/code/__torch__.py", BYTES("class Net:\n"));
    expect_archive(&made, NULL, "unknown torchscript: CONTAINS_CODE(a/code/__torch__.py)");
    add(&made, "a/data.pkl", BYTES(HARMLESS));
    add(&made, "a/constants.pkl", BYTES(HARMLESS));
    expect_archive(&made, NULL, "unknown torchscript: CONTAINS_CODE(a/constants.pkl)");
}

static void lying_flags_do_not_stop_the_walk(void **state) {
    (void)state;
    archive made = {0};
    const archive_file stored = {
        .name = "a/data.pkl", .data = PAYLOAD, .data_size = sizeof PAYLOAD - 1, .flags = 1};
    archive_add(&made, &stored);
    expect_archive(&made, NULL,
                   "dangerous torch_zip: ZIP_ENCRYPTED(a/data.pkl)@0 "
                   "DANGEROUS_GLOBAL(a/data.pkl)@2 DANGEROUS_CALL(a/data.pkl)@21");
    bytes packed = deflated(BYTES(PAYLOAD), -15);
    const archive_file unknown = {.name = "a/data.pkl",
                                  .data = packed.at,
                                  .data_size = packed.size,
                                  .size = sizeof PAYLOAD - 1,
                                  .method = 99};
    archive_add(&made, &unknown);
    archive_end(&made);
    sft_scan_result *result = scan_with(made.file.at, made.file.size, NULL);
    assert_int_equal(sft_scan_verdict(result), SFT_VERDICT_DANGEROUS);
    sft_scan_free(result);
    archive_free(&made);
    free(packed.at);
}

static void packed_members_are_unpacked(void **state) {
    (void)state;
    bytes packed = deflated(BYTES(PAYLOAD), -15);
    archive_file of = {.name = "a/data.pkl",
                       .data = packed.at,
                       .data_size = packed.size,
                       .size = sizeof PAYLOAD - 1,
                       .crc =
                           (uint32_t)crc32(0, (const unsigned char *)PAYLOAD, sizeof PAYLOAD - 1),
                       .method = 8};
    archive made = {0};
    archive_add(&made, &of);
    expect_archive(&made, NULL,
                   "dangerous torch_zip: DANGEROUS_GLOBAL(a/data.pkl)@2 "
                   "DANGEROUS_CALL(a/data.pkl)@21");
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.limits.inflated = 10;
    archive_add(&made, &of);
    archive_end(&made);
    sft_scan_result *result = scan_with(made.file.at, made.file.size, &options);
    assert_int_equal(sft_scan_verdict(result), SFT_VERDICT_MALFORMED);
    assert_string_equal(sft_scan_at(result, 0)->code, "LIMIT");
    sft_scan_free(result);
    archive_free(&made);
    free(packed.at);
}

/* ---- archives in archives ---- */

/* A zip in a zip, `depth` times, with a payload in the innermost. */
static bytes nested_zip(unsigned depth) {
    bytes inner = {0};
    put(&inner, PAYLOAD, sizeof PAYLOAD - 1);
    for (unsigned i = 0; i < depth; i++) {
        archive made = {0};
        add(&made, i == 0 ? "data.pkl" : "in.zip", inner.at, inner.size);
        archive_end(&made);
        free(inner.at);
        inner = (bytes){malloc(made.file.size), made.file.size, made.file.size};
        assert_non_null(inner.at);
        memcpy(inner.at, made.file.at, made.file.size);
        archive_free(&made);
    }
    return inner;
}

static void four_levels_of_nesting_are_opened(void **state) {
    (void)state;
    bytes three = nested_zip(3);
    expect_scan(three.at, three.size,
                "dangerous zip: DANGEROUS_GLOBAL(in.zip!in.zip!data.pkl)@2 "
                "DANGEROUS_CALL(in.zip!in.zip!data.pkl)@21");
    bytes four = nested_zip(4);
    sft_scan_result *result = scan_with(four.at, four.size, NULL);
    assert_string_equal(sft_scan_at(result, 0)->code, "LIMIT");
    assert_string_equal(sft_scan_at(result, 0)->member, "in.zip!in.zip!in.zip!data.pkl");
    /* Nothing more is opened, but a pickle that is there is seen. */
    assert_int_equal(sft_scan_verdict(result), SFT_VERDICT_DANGEROUS);
    sft_scan_free(result);
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.limits.nesting = 1;
    expect_scan_with(three.at, three.size, &options, "malformed zip: LIMIT(in.zip)");
    free(three.at);
    free(four.at);
}

static void an_archive_behind_a_pickle_is_opened(void **state) {
    (void)state;
    archive made = {0};
    add(&made, "data.pkl", BYTES(PAYLOAD));
    archive_end(&made);
    bytes both = {0};
    put(&both, "N.", 2);
    put(&both, made.file.at, made.file.size);
    sft_scan_result *result = scan_with(both.at, both.size, NULL);
    char line[1024];
    scan_line(result, line, sizeof line);
    assert_non_null(strstr(line, "TRAILING_BYTES@2"));
    assert_non_null(strstr(line, "ZIP_PREFIX"));
    assert_non_null(strstr(line, "DANGEROUS_CALL(data.pkl)@21"));
    sft_scan_free(result);
    free(both.at);
    archive_free(&made);
}

/* As pickle.dumps(tensor) writes it: the archive is where it belongs. */
static void an_archive_in_a_text_is_no_oddity(void **state) {
    (void)state;
    archive made = {0};
    add(&made, "a/data.pkl", BYTES(HARMLESS));
    archive_end(&made);
    bytes all = {0};
    put(&all, "\x80\x03" LOAD "B", sizeof "\x80\x03" LOAD "B" - 1);
    put_number(&all, made.file.size, 4);
    put(&all, made.file.at, made.file.size);
    put(&all, "\x85R.", 3);
    expect_scan(all.at, all.size, "clean pickle:");
    free(all.at);
    archive_free(&made);
}

/* ---- compressed files ---- */

static void compressed_files_are_unpacked(void **state) {
    (void)state;
    const char *wanted = "dangerous gzip: DANGEROUS_GLOBAL@2 DANGEROUS_CALL@21";
    bytes packed = deflated(BYTES(PAYLOAD), 15 + 16);
    expect_scan(packed.at, packed.size, wanted);
    char line[128];
    snprintf(line, sizeof line,
             "dangerous gzip: TRAILING_BYTES@%zu DANGEROUS_GLOBAL@2 DANGEROUS_CALL@21",
             packed.size);
    put(&packed, "more", 4);
    expect_scan(packed.at, packed.size, line);
    /* A loader comes to the payload before it comes to the damage. */
    packed.at[packed.size - 4 - 8] ^= 1;
    sft_scan_result *result = scan_with(packed.at, packed.size - 4, NULL);
    assert_int_equal(sft_scan_verdict(result), SFT_VERDICT_DANGEROUS);
    assert_string_equal(sft_scan_at(result, 0)->code, "BROKEN");
    sft_scan_free(result);
    free(packed.at);
    packed = deflated(BYTES("just a text"), 15);
    result = scan_with(packed.at, packed.size, NULL);
    assert_false(sft_scan_recognized(result));
    sft_scan_free(result);
    free(packed.at);
}

static void what_unpacks_to_too_much_is_a_limit(void **state) {
    (void)state;
    size_t size = 100 << 20;
    char *zeros = calloc(size, 1);
    assert_non_null(zeros);
    memcpy(zeros, BYTES(PAYLOAD));
    bytes packed = deflated(zeros, size, 15 + 16);
    free(zeros);
    expect_scan(packed.at, packed.size,
                "dangerous gzip: LIMIT DANGEROUS_GLOBAL@2 DANGEROUS_CALL@21 TRAILING_BYTES@23");
    free(packed.at);
}

/* ---- arrays ---- */

static void object_arrays_are_pickles(void **state) {
    (void)state;
    static const char header[] =
        "\x93NUMPY\x01\0\x46\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }         "
        "    \n";
    bytes made = {0};
    put(&made, header, sizeof header - 1);
    put(&made, PAYLOAD, sizeof PAYLOAD - 1);
    expect_scan(made.at, made.size, "dangerous npy: DANGEROUS_GLOBAL@82 DANGEROUS_CALL@101");
    free(made.at);
}

static void safetensors_files_keep_their_rules(void **state) {
    (void)state;
    fixture_file file =
        fixture_make("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4);
    expect_scan(file.bytes, file.size, "clean safetensors:");
    expect_scan(file.bytes, file.size - 1, "malformed safetensors: TRUNCATED_DATA@64");
    free(file.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pickle_of_a_row_is_walked),
        cmocka_unit_test(what_follows_the_last_pickle_is_told),
        cmocka_unit_test(effects_before_an_error_count),
        cmocka_unit_test(what_is_no_file_of_ours_is_not_recognized),
        cmocka_unit_test(more_pickles_than_are_looked_at_are_a_limit),
        cmocka_unit_test(a_text_for_a_loader_is_a_file_of_its_own),
        cmocka_unit_test(findings_come_in_the_order_of_loading),
        cmocka_unit_test(a_text_that_is_handed_on_often_is_walked_once),
        cmocka_unit_test(a_text_in_latin1_is_decoded),
        cmocka_unit_test(every_member_is_walked_whatever_its_name),
        cmocka_unit_test(a_member_must_be_what_its_name_says),
        cmocka_unit_test(storages_are_data_unless_they_are_pickles),
        cmocka_unit_test(a_storage_has_the_size_that_is_asked_for),
        cmocka_unit_test(checksums_are_a_warning_unless_none_was_written),
        cmocka_unit_test(a_program_beside_the_data_is_told),
        cmocka_unit_test(lying_flags_do_not_stop_the_walk),
        cmocka_unit_test(packed_members_are_unpacked),
        cmocka_unit_test(four_levels_of_nesting_are_opened),
        cmocka_unit_test(an_archive_behind_a_pickle_is_opened),
        cmocka_unit_test(an_archive_in_a_text_is_no_oddity),
        cmocka_unit_test(compressed_files_are_unpacked),
        cmocka_unit_test(what_unpacks_to_too_much_is_a_limit),
        cmocka_unit_test(object_arrays_are_pickles),
        cmocka_unit_test(safetensors_files_keep_their_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
