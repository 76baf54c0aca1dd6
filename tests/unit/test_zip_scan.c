/* A payload in an archive counts whatever its records say of it: a loader that reads piece by piece
 * comes to it before it comes to the damage. */
#include "fixture.h"

#include "archive.h"

static const char payload[] = "cos\nsystem\n(S'echo'\ntR.";

/* What deflate stores as it is, and then nothing that it knows. */
static bytes stored_and_damaged(void) {
    bytes packed = {0};
    put(&packed, "\0", 1);
    put_number(&packed, sizeof payload, 2);
    put_number(&packed, 0xffff ^ sizeof payload, 2);
    put(&packed, payload, sizeof payload);
    put(&packed, "\377\377", 2);
    return packed;
}

static void expect_dangerous(const archive_file *file) {
    archive made = {0};
    archive_add(&made, file);
    archive_end(&made);
    sft_scan_result *result;
    sft_error error;
    expect_ok(sft_scan_memory(made.file.at, made.file.size, NULL, &result, &error), &error);
    assert_string_equal(sft_verdict_name(sft_scan_verdict(result)), "dangerous");
    sft_scan_free(result);
    archive_free(&made);
}

static void test_damage_behind_a_payload(void **state) {
    (void)state;
    bytes packed = stored_and_damaged();
    for (uint16_t flags = 0; flags < 2; flags++) {
        for (uint64_t more = 0; more < 1000; more += 300) {
            expect_dangerous(&(archive_file){.name = "a/data.pkl",
                                             .data = packed.at,
                                             .data_size = packed.size,
                                             .method = 8,
                                             .flags = flags,
                                             .size = sizeof payload + more});
        }
    }
    free(packed.at);
}

static void test_sizes_that_are_not_true(void **state) {
    (void)state;
    bytes packed = deflated(payload, sizeof payload, -15);
    for (uint64_t size = sizeof payload - 1; size < 2000; size += 500) {
        expect_dangerous(&(archive_file){.name = "a/data.pkl",
                                         .data = packed.at,
                                         .data_size = packed.size,
                                         .method = 8,
                                         .size = size});
    }
    free(packed.at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage_behind_a_payload),
        cmocka_unit_test(test_sizes_that_are_not_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
