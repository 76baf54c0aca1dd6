/* A new file in the place of an old one: others at the same time, and litter. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "saves.h"

/* ---- others at the same time ---- */

static void who_has_the_old_file_keeps_it(void **state) {
    (void)state;
    scratch_store("file", "old bytes", 9);
    int fd = open(scratch("file"), O_RDONLY);
    const char *mapped = mmap(NULL, 9, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(mapped, MAP_FAILED);
    save(scratch("file"), "n");
    assert_memory_equal(mapped, "old bytes", 9);
    char read_back[9];
    assert_int_equal(pread(fd, read_back, 9, 0), 9);
    assert_memory_equal(read_back, "old bytes", 9);
    munmap((void *)(uintptr_t)mapped, 9);
    close(fd);
}

static void existing_files_can_be_kept(void **state) {
    (void)state;
    scratch_store("file", "old", 3);
    sft_error error;
    expect_status(save_with(scratch("file"), "new", true, &error), SFT_ALREADY_EXISTS, &error);
    expect("file", "old");
    expect_status(save_with(scratch("other"), "new", true, &error), SFT_OK, &error);
    expect("other", "new");
    assert_int_equal(scratch_count("."), 2);
}

static void a_file_that_appears_meanwhile_is_kept_or_replaced(void **state) {
    (void)state;
    for (int round = 0; round < 4; round++) {
        bool keep = round % 2 == 0;
        faults.no_rename_to_free = round >= 2;
        sft_replace replace;
        sft_error error;
        expect_status(sft_replace_begin(&replace, scratch("file"), true, keep, &error), SFT_OK,
                      &error);
        scratch_store("file", "other", 5);
        assert_int_equal(write(replace.fd, "new", 3), 3);
        expect_status(sft_replace_commit(&replace, &error), keep ? SFT_ALREADY_EXISTS : SFT_OK,
                      &error);
        expect("file", keep ? "other" : "new");
        assert_int_equal(scratch_count("."), 1);
        assert_int_equal(unlink(scratch("file")), 0);
        expect_status(save_with(scratch("file"), "new", keep, &error), SFT_OK, &error);
        assert_int_equal(scratch_count("."), 1);
        assert_int_equal(unlink(scratch("file")), 0);
    }
}

static void another_file_can_stop_the_commit(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        scratch_store("file", "old", 3);
        sft_replace replace;
        sft_error error;
        expect_status(sft_replace_begin(&replace, scratch("file"), false, false, &error), SFT_OK,
                      &error);
        replace.only_this = true;
        /* As a caller who cares must: else its inode may be used again. */
        int old = open(scratch("file"), O_RDONLY);
        assert_true(old >= 0);
        if (round == 0) {
            expect_status(sft_replace_commit(&replace, &error), SFT_OK, &error);
            assert_false(replace.target_changed);
            close(old);
            continue;
        }
        assert_int_equal(unlink(scratch("file")), 0);
        if (round == 1) {
            scratch_store("beside", "other", 5);
            assert_int_equal(rename(scratch("beside"), scratch("file")), 0);
        }
        expect_status(sft_replace_commit(&replace, &error), SFT_WRITE_FAILED, &error);
        assert_true(replace.target_changed);
        assert_int_equal(scratch_count("."), round == 1);
        close(old);
    }
}

static void a_folder_that_is_renamed_meanwhile_gets_the_file(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(mkdir(scratch("a"), 0755), 0);
        if (round == 1) {
            scratch_store("a/file", "old", 3);
        }
        sft_replace replace;
        sft_error error;
        expect_status(sft_replace_begin(&replace, scratch("a/file"), true, false, &error), SFT_OK,
                      &error);
        assert_int_equal(rename(scratch("a"), scratch("b")), 0);
        assert_int_equal(mkdir(scratch("a"), 0755), 0);
        assert_int_equal(write(replace.fd, "new", 3), 3);
        expect_status(sft_replace_commit(&replace, &error), SFT_OK, &error);
        expect("b/file", "new");
        assert_int_equal(scratch_count("a"), 0);
        assert_int_equal(scratch_count("b"), 1);
        assert_int_equal(unlink(scratch("b/file")), 0);
        assert_int_equal(rmdir(scratch("a")), 0);
        assert_int_equal(rmdir(scratch("b")), 0);
    }
}

static void giving_up_leaves_nothing(void **state) {
    (void)state;
    sft_replace replace;
    sft_error error;
    expect_status(sft_replace_begin(&replace, scratch("new"), false, false, &error), SFT_OK,
                  &error);
    sft_replace_abort(&replace);
    assert_int_equal(scratch_count("."), 0);
    scratch_store("old", "old", 3);
    expect_status(sft_replace_begin(&replace, scratch("old"), false, false, &error), SFT_OK,
                  &error);
    sft_replace_abort(&replace);
    expect("old", "old");
    assert_int_equal(scratch_count("."), 1);
}

/* ---- litter ---- */

static void litter_of_this_name_goes(void **state) {
    (void)state;
    scratch_store(".file.0123456789abcdef.tmp", "", 0);
    scratch_store(".file.ffffffffffffffff.tmp", "half", 4);
    save(scratch("file"), "new");
    expect("file", "new");
    assert_int_equal(scratch_count("."), 1);
}

static void what_is_no_litter_stays(void **state) {
    (void)state;
    const char *const names[] = {".file.0123456789abcde.tmp",   ".file.0123456789abcdef0.tmp",
                                 ".file.0123456789ABCDEF.tmp",  ".file.0123456789abcdef.tm",
                                 ".file.0123456789abcdef.tmp~", "file.0123456789abcdef.tmp",
                                 ".fil.0123456789abcdef.tmp",   ".file2.0123456789abcdef.tmp",
                                 ".file-0123456789abcdef.tmp",  ".filE.0123456789abcdef.tmp"};
    const int count = sizeof names / sizeof names[0];
    for (int i = 0; i < count; i++) {
        scratch_store(names[i], "x", 1);
    }
    assert_int_equal(mkdir(scratch(".file.0000000000000000.tmp"), 0755), 0);
    assert_int_equal(mkfifo(scratch(".file.1111111111111111.tmp"), 0644), 0);
    scratch_store("elsewhere", "x", 1);
    assert_int_equal(symlink("elsewhere", scratch(".file.2222222222222222.tmp")), 0);
    save(scratch("file"), "new");
    assert_int_equal(scratch_count("."), count + 5);
}

static void litter_in_use_stays(void **state) {
    (void)state;
    const char *name = ".file.0123456789abcdef.tmp";
    scratch_store(name, "busy", 4);
    int fd = open(scratch(name), O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    save(scratch("file"), "1");
    assert_int_equal(scratch_count("."), 2);
    close(fd);
    save(scratch("file"), "2");
    assert_int_equal(scratch_count("."), 1);
}

/* A save is under way when another one of the same target looks for litter. */
static void saves_do_not_take_each_other_for_litter(void **state) {
    (void)state;
    sft_replace first;
    sft_replace second;
    sft_error error;
    expect_status(sft_replace_begin(&first, scratch("file"), false, false, &error), SFT_OK, &error);
    expect_status(sft_replace_begin(&second, scratch("file"), false, false, &error), SFT_OK,
                  &error);
    assert_int_equal(write(first.fd, "first", 5), 5);
    assert_int_equal(write(second.fd, "second", 6), 6);
    expect_status(sft_replace_commit(&second, &error), SFT_OK, &error);
    expect("file", "second");
    expect_status(sft_replace_commit(&first, &error), SFT_OK, &error);
    expect("file", "first");
    assert_int_equal(scratch_count("."), 1);
}

/* In the instant when the new file is linked beside the old one. */
static void save_in_between(void) {
    save(scratch("file"), "between");
}

static void a_save_in_the_midst_of_another_does_no_harm(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        if (round == 1) {
            scratch_store("file", "old", 3);
        }
        faults.between = save_in_between;
        save(scratch("file"), "after");
        assert_null(faults.between);
        expect("file", "after");
        assert_int_equal(scratch_count("."), 1);
        assert_int_equal(unlink(scratch("file")), 0);
    }
}

static void without_locks_litter_stays_and_saves_work(void **state) {
    (void)state;
    scratch_store(".file.0123456789abcdef.tmp", "", 0);
    faults.no_locks = true;
    save(scratch("file"), "new");
    expect("file", "new");
    assert_int_equal(scratch_count("."), 2);
}

/* Several processes save to one name as fast as they can; every look sees one of their files,
 * whole. */
static void processes_at_once_do_not_mix(void **state) {
    (void)state;
    enum { CHILDREN = 3, ROUNDS = 150, SIZE = 5000 };
    char content[SIZE + 1] = {0};
    memset(content, 'a', SIZE);
    save(scratch("file"), content);
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            memset(content, 'b' + i, SIZE);
            for (int round = 0; round < ROUNDS; round++) {
                sft_error error;
                if (save_with(scratch("file"), content, false, &error) != SFT_OK) {
                    fprintf(stderr, "%s\n", error.message);
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    int left = CHILDREN;
    while (left > 0) {
        scratch_bytes seen = scratch_load("file");
        assert_int_equal(seen.size, SIZE);
        for (size_t i = 1; i < SIZE; i++) {
            assert_int_equal(seen.bytes[i], seen.bytes[0]);
        }
        free(seen.bytes);
        int status;
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            left--;
        }
    }
    assert_int_equal(scratch_count("."), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SAVE_TEST(who_has_the_old_file_keeps_it),
        SAVE_TEST(existing_files_can_be_kept),
        SAVE_TEST(a_file_that_appears_meanwhile_is_kept_or_replaced),
        SAVE_TEST(another_file_can_stop_the_commit),
        SAVE_TEST(a_folder_that_is_renamed_meanwhile_gets_the_file),
        SAVE_TEST(giving_up_leaves_nothing),
        SAVE_TEST(litter_of_this_name_goes),
        SAVE_TEST(what_is_no_litter_stays),
        SAVE_TEST(litter_in_use_stays),
        SAVE_TEST(saves_do_not_take_each_other_for_litter),
        SAVE_TEST(a_save_in_the_midst_of_another_does_no_harm),
        SAVE_TEST(without_locks_litter_stays_and_saves_work),
        SAVE_TEST(processes_at_once_do_not_mix),
    };
    return run_saves(tests, sizeof tests / sizeof tests[0]);
}
