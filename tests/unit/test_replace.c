/* A new file in the place of an old one: names, links, modes, litter, and others at the same time.
 */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "base/utf8.h"
#include "io/replace.h"
#include "scratch.h"

static sft_status save_with(const char *path, const char *content, bool keep_existing,
                            sft_error *error) {
    sft_replace replace;
    sft_status status = sft_replace_begin(&replace, path, false, keep_existing, error);
    if (status != SFT_OK) {
        return status;
    }
    assert_int_equal(write(replace.fd, content, strlen(content)), strlen(content));
    return sft_replace_commit(&replace, error);
}

static void save(const char *path, const char *content) {
    sft_error error;
    expect_status(save_with(path, content, false, &error), SFT_OK, &error);
}

static void refuse(const char *path, sft_status wanted, int system_error) {
    int before = scratch_count(".");
    sft_error error = {.status = SFT_OK};
    expect_status(save_with(path, "new", false, &error), wanted, &error);
    assert_int_equal(error.system_error, system_error);
    assert_int_equal(scratch_count("."), before);
}

static void expect(const char *name, const char *content) {
    assert_true(scratch_holds(name, content, strlen(content)));
}

static bool is_link(const char *name) {
    struct stat status;
    return lstat(scratch(name), &status) == 0 && S_ISLNK(status.st_mode);
}

/* Each test begins with an empty folder. */
static int empty(void **state) {
    (void)state;
    faults = (struct faults){.no_unnamed = faults.no_unnamed, .no_proc = faults.no_proc};
    umask(022);
    scratch_teardown(NULL);
    return mkdir(scratch_folder, 0755);
}

/* ---- modes and owners ---- */

static void new_files_obey_the_umask(void **state) {
    (void)state;
    const mode_t masks[] = {0, 002, 022, 027, 077};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        umask(masks[i]);
        save(scratch("new"), "x");
        assert_int_equal(scratch_mode("new"), 0666 & ~masks[i]);
        assert_int_equal(unlink(scratch("new")), 0);
    }
}

static void replaced_files_keep_their_mode(void **state) {
    (void)state;
    const mode_t modes[] = {0600, 0644, 0664, 0666, 0444, 0400, 0755, 0777, 04755, 02750};
    umask(077);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        scratch_store("old", "old", 3);
        assert_int_equal(chmod(scratch("old"), modes[i]), 0);
        save(scratch("old"), "new");
        assert_int_equal(scratch_mode("old"), modes[i]);
        expect("old", "new");
        assert_int_equal(unlink(scratch("old")), 0);
    }
}

static void root_keeps_the_owner(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    scratch_store("old", "old", 3);
    assert_int_equal(chown(scratch("old"), 12345, 23456), 0);
    assert_int_equal(chmod(scratch("old"), 04750), 0);
    save(scratch("old"), "new");
    struct stat status;
    assert_int_equal(stat(scratch("old"), &status), 0);
    assert_int_equal(status.st_uid, 12345);
    assert_int_equal(status.st_gid, 23456);
    assert_int_equal(status.st_mode & 07777, 04750);
}

/* Takes the rights of nobody, where root runs the tests. */
static void drop_rights(void) {
    if (geteuid() == 0) {
        assert_int_equal(setegid(65534), 0);
        assert_int_equal(seteuid(65534), 0);
    }
}

static void take_rights(void) {
    if (getuid() == 0) {
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(setegid(0), 0);
    }
}

static void others_lose_what_cannot_be_kept(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can make a file of someone else\n");
        skip();
    }
    const mode_t modes[][2] = {{0660, 0600}, {0664, 0644}, {06755, 0755}, {0640, 0600}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        scratch_store("old", "old", 3);
        assert_int_equal(chown(scratch("old"), 12345, 23456), 0);
        assert_int_equal(chmod(scratch("old"), modes[i][0]), 0);
        assert_int_equal(chmod(scratch_folder, 0777), 0);
        drop_rights();
        sft_error error;
        sft_status status = save_with(scratch("old"), "new", false, &error);
        take_rights();
        expect_status(status, SFT_OK, &error);
        assert_int_equal(scratch_mode("old"), modes[i][1]);
        expect("old", "new");
        assert_int_equal(unlink(scratch("old")), 0);
    }
}

static void folders_without_leave_are_refused(void **state) {
    (void)state;
    scratch_store("old", "old", 3);
    assert_int_equal(chmod(scratch_folder, 0555), 0);
    drop_rights();
    sft_error error;
    sft_status status = save_with(scratch("old"), "new", false, &error);
    take_rights();
    expect_status(status, SFT_OPEN_FAILED, &error);
    assert_int_equal(error.system_error, EACCES);
    expect("old", "old");
    assert_int_equal(scratch_count("."), 1);
}

static void folders_that_cannot_be_listed_do(void **state) {
    (void)state;
    scratch_store("old", "old", 3);
    assert_int_equal(chmod(scratch_folder, 0333), 0);
    drop_rights();
    sft_error error;
    sft_replace replace;
    sft_status plain = save_with(scratch("old"), "new", false, &error);
    sft_status durable = sft_replace_begin(&replace, scratch("old"), true, false, &error);
    bool root = geteuid() == 0;
    take_rights();
    assert_int_equal(chmod(scratch_folder, 0755), 0);
    assert_int_equal(plain, SFT_OK);
    expect("old", "new");
    if (root) {
        sft_replace_abort(&replace);
    } else {
        expect_status(durable, SFT_OPEN_FAILED, &error);
    }
    assert_int_equal(scratch_count("."), 1);
}

/* ---- links ---- */

static void links_are_written_through(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch("a"), 0755), 0);
    assert_int_equal(mkdir(scratch("a/b"), 0755), 0);
    scratch_store("a/b/file", "old", 3);
    assert_int_equal(chmod(scratch("a/b/file"), 0640), 0);
    assert_int_equal(symlink("a/b/file", scratch("relative")), 0);
    assert_int_equal(symlink(scratch("relative"), scratch("absolute")), 0);
    assert_int_equal(symlink("../../absolute", scratch("a/b/chain")), 0);
    assert_int_equal(symlink("chain", scratch("a/b/beside")), 0);
    const char *const names[] = {"relative", "absolute", "a/b/chain", "a/b/beside"};
    for (size_t i = 0; i < 4; i++) {
        save(scratch(names[i]), names[i]);
        assert_true(is_link(names[i]));
        expect("a/b/file", names[i]);
        assert_int_equal(scratch_mode("a/b/file"), 0640);
    }
    assert_int_equal(scratch_count("."), 3);
    assert_int_equal(scratch_count("a/b"), 3);
}

static void dangling_links_get_their_target(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch("a"), 0755), 0);
    assert_int_equal(symlink("a/new", scratch("link")), 0);
    sft_error error;
    expect_status(save_with(scratch("link"), "new", true, &error), SFT_OK, &error);
    assert_true(is_link("link"));
    expect("a/new", "new");
    assert_int_equal(symlink("nowhere/new", scratch("lost")), 0);
    refuse(scratch("lost"), SFT_OPEN_FAILED, ENOENT);
}

static void loops_are_refused(void **state) {
    (void)state;
    assert_int_equal(symlink("b", scratch("a")), 0);
    assert_int_equal(symlink("a", scratch("b")), 0);
    assert_int_equal(symlink("self", scratch("self")), 0);
    assert_int_equal(symlink("self/x", scratch("inside")), 0);
    refuse(scratch("a"), SFT_OPEN_FAILED, ELOOP);
    refuse(scratch("self"), SFT_OPEN_FAILED, ELOOP);
    refuse(scratch("inside"), SFT_OPEN_FAILED, ELOOP);
}

/* ---- what is no file, and what is no name ---- */

static void only_regular_files_are_replaced(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch("folder"), 0755), 0);
    assert_int_equal(mkfifo(scratch("pipe"), 0644), 0);
    assert_int_equal(symlink("folder", scratch("link")), 0);
    assert_int_equal(symlink("/dev/null", scratch("device")), 0);
    const char *const names[] = {"folder", "pipe", "link", "device"};
    for (size_t i = 0; i < 4; i++) {
        refuse(scratch(names[i]), SFT_NOT_A_FILE, 0);
    }
    refuse("/dev/null", SFT_NOT_A_FILE, 0);
}

static void paths_that_name_no_file_are_refused(void **state) {
    (void)state;
    scratch_store("file", "old", 3);
    refuse("", SFT_OPEN_FAILED, ENOENT);
    refuse(".", SFT_NOT_A_FILE, 0);
    refuse("..", SFT_NOT_A_FILE, 0);
    refuse("/", SFT_NOT_A_FILE, 0);
    refuse(scratch("new/"), SFT_NOT_A_FILE, 0);
    refuse(scratch("."), SFT_NOT_A_FILE, 0);
    refuse(scratch("file/x"), SFT_OPEN_FAILED, ENOTDIR);
    refuse(scratch("nowhere/x"), SFT_OPEN_FAILED, ENOENT);
    char path[8192];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    refuse(path, SFT_OPEN_FAILED, ENAMETOOLONG);
    path[300] = '\0';
    refuse(path, SFT_OPEN_FAILED, ENAMETOOLONG);
    path[2000] = '\0';
    refuse(path, SFT_OPEN_FAILED, ENAMETOOLONG);
}

static void relative_paths_do(void **state) {
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(mkdir(scratch("sub"), 0755), 0);
    assert_int_equal(chdir(scratch("sub")), 0);
    const char *const paths[] = {"plain", "./dot", "../up", "..//sub/.././twice"};
    const char *const names[] = {"sub/plain", "sub/dot", "up", "twice"};
    for (size_t i = 0; i < 4; i++) {
        save(paths[i], "1");
        expect(names[i], "1");
        save(paths[i], "2");
        expect(names[i], "2");
    }
    assert_int_equal(chdir(before), 0);
    assert_int_equal(scratch_count("."), 3);
    assert_int_equal(scratch_count("sub"), 2);
}

static void the_longest_names_do(void **state) {
    (void)state;
    for (size_t length = 225; length <= 255; length++) {
        char name[256];
        memset(name, 'x', length);
        name[length] = '\0';
        save(scratch(name), "1");
        save(scratch(name), "2");
        expect(name, "2");
        /* The same in letters of two bytes, which must not be cut in half. */
        for (size_t i = length % 2; i + 1 < length; i += 2) {
            memcpy(name + i, "\xc3\xa9", 2);
        }
        save(scratch(name), "1");
        sft_replace replace;
        sft_error error;
        expect_status(sft_replace_begin(&replace, scratch(name), false, false, &error), SFT_OK,
                      &error);
        expect_status(sft_replace_commit(&replace, &error), SFT_OK, &error);
        size_t end = strlen(replace.temporary);
        assert_true(end <= 255);
        const unsigned char *temporary = (const unsigned char *)replace.temporary;
        assert_int_equal(sft_utf8_check(temporary, end), end);
        expect(name, "");
    }
    assert_int_equal(scratch_count("."), 2 * 31);
}

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

#define TESTS(test) cmocka_unit_test_setup(test, empty)

int main(void) {
    const struct CMUnitTest tests[] = {
        TESTS(new_files_obey_the_umask),
        TESTS(replaced_files_keep_their_mode),
        TESTS(root_keeps_the_owner),
        TESTS(others_lose_what_cannot_be_kept),
        TESTS(folders_without_leave_are_refused),
        TESTS(folders_that_cannot_be_listed_do),
        TESTS(links_are_written_through),
        TESTS(dangling_links_get_their_target),
        TESTS(loops_are_refused),
        TESTS(only_regular_files_are_replaced),
        TESTS(paths_that_name_no_file_are_refused),
        TESTS(relative_paths_do),
        TESTS(the_longest_names_do),
        TESTS(who_has_the_old_file_keeps_it),
        TESTS(existing_files_can_be_kept),
        TESTS(a_file_that_appears_meanwhile_is_kept_or_replaced),
        TESTS(another_file_can_stop_the_commit),
        TESTS(a_folder_that_is_renamed_meanwhile_gets_the_file),
        TESTS(giving_up_leaves_nothing),
        TESTS(litter_of_this_name_goes),
        TESTS(what_is_no_litter_stays),
        TESTS(litter_in_use_stays),
        TESTS(saves_do_not_take_each_other_for_litter),
        TESTS(a_save_in_the_midst_of_another_does_no_harm),
        TESTS(without_locks_litter_stays_and_saves_work),
        TESTS(processes_at_once_do_not_mix),
    };
    int failed = cmocka_run_group_tests_name("new files without a name", tests, scratch_setup,
                                             scratch_teardown);
    faults = (struct faults){.no_unnamed = true};
    failed += cmocka_run_group_tests_name("new files with a temporary name", tests, scratch_setup,
                                          scratch_teardown);
    faults = (struct faults){.no_proc = true};
    return failed +
           cmocka_run_group_tests_name("without /proc", tests, scratch_setup, scratch_teardown);
}
