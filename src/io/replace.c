#include "io/replace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

/* Links that are followed before it is a loop, as many as Linux follows. */
#define MOST_LINKS 40

/* The longest path, as the system has it. */
#define PATH_ROOM 4096

/* What stands around the target's name in that of a temporary: ".", ".", hex digits, ".tmp". */
#define HEX_DIGITS 16
#define TEMPORARY_EXTRA (2 + HEX_DIGITS + 4)

/* Names are random; this many are tried before it is plain that something else is wrong. */
#define MOST_TRIES 100

/* ---- where the target lies ---- */

/*
 * Makes the folder of a path that which is open, and the path's last part the name. On failure
 * the folder that was open stays so.
 */
static int enter_folder(sft_replace *replace, char *path) {
    char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t length = strlen(name);
    if (length == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return EISDIR;
    }
    if (length >= sizeof replace->name) {
        return ENAMETOOLONG;
    }
    memcpy(replace->name, name, length + 1);
    if (slash == NULL && replace->folder != SFT_OS_HERE) {
        return 0;
    }
    const char *folder = slash == NULL ? "." : slash == path ? "/" : path;
    if (slash != NULL && slash != path) {
        *slash = '\0';
    }
    int fd;
    int failure = sft_os_open_folder(replace->folder, folder, &fd, &replace->folder_listed);
    if (failure != 0) {
        return failure;
    }
    if (replace->folder != SFT_OS_HERE) {
        sft_os_close(replace->folder);
    }
    replace->folder = fd;
    return 0;
}

/* Follows the path to a folder and a name in it that is no symbolic link. */
static int find_target(sft_replace *replace, const char *path) {
    char text[PATH_ROOM];
    size_t length = strlen(path);
    if (length == 0) {
        return ENOENT;
    }
    if (length >= sizeof text) {
        return ENAMETOOLONG;
    }
    memcpy(text, path, length + 1);
    for (int links = 0; links <= MOST_LINKS; links++) {
        int failure = enter_folder(replace, text);
        if (failure != 0) {
            return failure;
        }
        failure = sft_os_look(replace->folder, replace->name, &replace->target);
        replace->exists = failure == 0;
        if (failure == ENOENT) {
            return 0;
        }
        if (failure != 0) {
            return failure;
        }
        replace->foreign = (replace->target.link || replace->target.regular) &&
                           !sft_os_trusts(replace->folder, &replace->target);
        if (replace->foreign) {
            return EACCES;
        }
        if (!replace->target.link) {
            return 0;
        }
        failure = sft_os_read_link(replace->folder, replace->name, text, sizeof text);
        if (failure != 0) {
            return failure;
        }
    }
    return ELOOP;
}

/* ---- temporary names ---- */

/* As much of the target's name as leaves room for the rest; whole characters only. */
static size_t stem_length(const sft_replace *replace) {
    size_t longest = sft_os_longest_name(replace->folder);
    if (longest >= SFT_NAME_ROOM) {
        longest = SFT_NAME_ROOM - 1;
    }
    size_t most = longest > TEMPORARY_EXTRA ? longest - TEMPORARY_EXTRA : 0;
    size_t length = strlen(replace->name);
    if (length <= most) {
        return length;
    }
    while (most > 0 && ((unsigned char)replace->name[most] & 0xc0) == 0x80) {
        most--;
    }
    return most;
}

static void choose_temporary(sft_replace *replace) {
    uint64_t random[2];
    sft_os_random(random);
    snprintf(replace->temporary, sizeof replace->temporary, ".%.*s.%016" PRIx64 ".tmp",
             (int)stem_length(replace), replace->name, random[0] ^ random[1]);
}

static bool is_temporary(const char *name, const char *stem, size_t stem_size) {
    if (strlen(name) != stem_size + TEMPORARY_EXTRA || name[0] != '.' ||
        memcmp(name + 1, stem, stem_size) != 0 || name[1 + stem_size] != '.') {
        return false;
    }
    const char *hex = name + 2 + stem_size;
    return strspn(hex, "0123456789abcdef") == HEX_DIGITS && strcmp(hex + HEX_DIGITS, ".tmp") == 0;
}

/* Whether a name in the folder stands for the file that is open. */
static bool is_called(int folder, const char *name, int fd) {
    sft_os_info named;
    sft_os_info open;
    return sft_os_look(folder, name, &named) == 0 && sft_os_describe(fd, &open) == 0 &&
           named.device == open.device && named.inode == open.inode;
}

typedef struct litter {
    int folder;
    const char *stem;
    size_t stem_size;
} litter;

/*
 * Removes what an earlier save left, if no one holds its lock: whoever makes a temporary locks it,
 * and then makes sure that it still has its name. So either we see the lock, or they see that the
 * file is gone.
 */
static bool remove_litter(void *context, const char *name) {
    const litter *wanted = context;
    if (!is_temporary(name, wanted->stem, wanted->stem_size)) {
        return true;
    }
    int fd;
    if (sft_os_open_in(wanted->folder, name, &fd) != 0) {
        return true;
    }
    sft_os_info info;
    if (sft_os_describe(fd, &info) == 0 && info.regular && sft_os_lock_file(fd, false) == 0 &&
        is_called(wanted->folder, name, fd)) {
        (void)sft_os_remove(wanted->folder, name);
    }
    sft_os_close(fd);
    return true;
}

/* ---- beginning ---- */

/* A file with a temporary name, for systems that have none without. */
static int create_named(sft_replace *replace, uint32_t mode) {
    int failure = EEXIST;
    for (int i = 0; i < MOST_TRIES && failure == EEXIST; i++) {
        choose_temporary(replace);
        failure = sft_os_create(replace->folder, replace->temporary, mode, &replace->fd);
        if (failure != 0) {
            continue;
        }
        /* A file system without locks lets no one else lock it either. */
        if (sft_os_lock_file(replace->fd, false) != EWOULDBLOCK &&
            is_called(replace->folder, replace->temporary, replace->fd)) {
            replace->has_temporary = true;
            return 0;
        }
        /* Someone took it for litter in the instant before the lock. */
        (void)sft_os_remove(replace->folder, replace->temporary);
        sft_os_close(replace->fd);
        failure = EEXIST;
    }
    return failure;
}

static int create(sft_replace *replace) {
    /* Nobody else gets at a replacement before it has the owner and mode of what it replaces. */
    uint32_t mode = replace->exists ? replace->target.mode & 0600 : 0666;
    if (sft_os_create_unnamed(replace->folder, mode, &replace->fd) == 0) {
        /* No name yet, so no one can hold this lock. */
        (void)sft_os_lock_file(replace->fd, false);
    } else {
        int failure = create_named(replace, mode);
        if (failure != 0) {
            return failure;
        }
    }
    if (replace->exists) {
        sft_os_inherit(replace->fd, &replace->target);
    }
    return 0;
}

static sft_status refuse(const sft_replace *replace, int failure, sft_error *error) {
    if (failure == EISDIR) {
        return sft_fail(error, SFT_NOT_A_FILE, SFT_NO_BYTE,
                        "the path names a folder: give the name of a file in it");
    }
    if (replace->foreign) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure,
                               "the target is a file or symbolic link that someone else has put "
                               "into a folder open to all: remove it, or save elsewhere");
    }
    if (failure != 0) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot find the target's folder");
    }
    if (replace->exists && !replace->target.regular) {
        return sft_fail(error, SFT_NOT_A_FILE, SFT_NO_BYTE,
                        "the target is a %s; only a regular file can be replaced",
                        replace->target.folder ? "folder" : "pipe, socket or device");
    }
    if (replace->exists && replace->keep_existing) {
        return sft_fail(error, SFT_ALREADY_EXISTS, SFT_NO_BYTE,
                        "the file exists and is not to be replaced");
    }
    if (replace->durable && !replace->folder_listed) {
        return sft_fail_system(error, SFT_OPEN_FAILED, EACCES,
                               "cannot flush the folder to the disk without leave to read it");
    }
    return SFT_OK;
}

static void end(sft_replace *replace) {
    if (replace->fd >= 0) {
        sft_os_close(replace->fd);
        replace->fd = -1;
    }
    if (replace->folder != SFT_OS_HERE) {
        sft_os_close(replace->folder);
        replace->folder = SFT_OS_HERE;
    }
}

sft_status sft_replace_begin(sft_replace *replace, const char *path, bool durable,
                             bool keep_existing, sft_error *error) {
    *replace = (sft_replace){
        .fd = -1, .folder = SFT_OS_HERE, .durable = durable, .keep_existing = keep_existing};
    int failure = find_target(replace, path);
    sft_status status = refuse(replace, failure, error);
    if (status == SFT_OK) {
        /* First, for on a full disk the litter's room may be what is missing. */
        litter wanted = {replace->folder, replace->name, stem_length(replace)};
        (void)sft_os_list_folder(replace->folder, remove_litter, &wanted);
        failure = create(replace);
        if (failure != 0) {
            status = sft_fail_system(error, SFT_OPEN_FAILED, failure,
                                     "cannot create a file in the target's folder");
        }
    }
    if (status != SFT_OK) {
        end(replace);
    }
    return status;
}

/* ---- a folder that is not there yet ---- */

/* Opens what the folder is to be in. */
static int find_parent(sft_replace *replace, const char *folder) {
    char text[PATH_ROOM];
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/') {
        length--;
    }
    if (length >= sizeof text) {
        return ENAMETOOLONG;
    }
    memcpy(text, folder, length);
    text[length] = '\0';
    int failure = enter_folder(replace, text);
    memcpy(replace->missing, replace->name, sizeof replace->missing);
    return failure;
}

static sft_status begin_at_once(sft_replace *replace, const char *folder, const char *name,
                                sft_error *error) {
    char path[PATH_ROOM];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    int failure = length < 0 || (size_t)length >= sizeof path
                      ? ENAMETOOLONG
                      : sft_os_make_folder(SFT_OS_HERE, folder, 0777);
    if (failure != 0 && failure != EEXIST) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot make the target's folder");
    }
    return sft_replace_begin(replace, path, replace->durable, replace->keep_existing, error);
}

sft_status sft_replace_begin_in(sft_replace *replace, const char *folder, const char *name,
                                bool durable, bool keep_existing, sft_error *error) {
    *replace = (sft_replace){
        .fd = -1, .folder = SFT_OS_HERE, .durable = durable, .keep_existing = keep_existing};
    int failure = find_parent(replace, folder);
    if (failure != 0 || strlen(name) >= sizeof replace->name) {
        end(replace);
        return sft_fail_system(error, SFT_OPEN_FAILED, failure != 0 ? failure : ENAMETOOLONG,
                               "cannot find the target's folder");
    }
    memcpy(replace->name, name, strlen(name) + 1);
    if (sft_os_create_unnamed(replace->folder, 0666, &replace->fd) != 0) {
        replace->fd = -1;
        end(replace);
        return begin_at_once(replace, folder, name, error);
    }
    replace->folder_missing = true;
    return SFT_OK;
}

/* A folder that is there by now was made for another file of the same caller, or is a trap. */
static int check_missing(const sft_replace *replace) {
    sft_os_info info;
    int failure = sft_os_look(replace->folder, replace->missing, &info);
    if (failure != 0) {
        return failure;
    }
    return info.folder && sft_os_trusts(replace->folder, &info) ? 0 : EEXIST;
}

/* Makes the folder, and goes there. */
static int make_missing(sft_replace *replace) {
    int failure = sft_os_make_folder(replace->folder, replace->missing, 0777);
    failure = failure == EEXIST ? check_missing(replace) : failure;
    if (failure != 0) {
        return failure;
    }
    failure = replace->durable ? sft_os_flush_folder(replace->folder) : 0;
    if (failure != 0) {
        return failure;
    }
    int fd;
    failure = sft_os_open_folder(replace->folder, replace->missing, &fd, &replace->folder_listed);
    if (failure == 0) {
        sft_os_close(replace->folder);
        replace->folder = fd;
        replace->folder_missing = false;
    }
    return failure;
}

/* ---- ending ---- */

static int name_temporary(sft_replace *replace) {
    int failure = EEXIST;
    for (int i = 0; i < MOST_TRIES && failure == EEXIST; i++) {
        choose_temporary(replace);
        failure = sft_os_name(replace->fd, replace->folder, replace->temporary);
    }
    replace->has_temporary = failure == 0;
    return failure;
}

/* Puts the file where nothing stands. */
static int take_free_name(sft_replace *replace) {
    if (!replace->has_temporary) {
        return sft_os_name(replace->fd, replace->folder, replace->name);
    }
    int failure = sft_os_rename_to_free(replace->folder, replace->temporary, replace->name);
    replace->has_temporary = failure != 0;
    return failure;
}

/* Puts the file over whatever stands there. */
static int take_name(sft_replace *replace) {
    if (!replace->has_temporary) {
        int failure = name_temporary(replace);
        if (failure != 0) {
            return failure;
        }
    }
    if (replace->only_this) {
        sft_os_info now;
        int failure = sft_os_look(replace->folder, replace->name, &now);
        replace->target_changed =
            failure == ENOENT || (failure == 0 && (now.device != replace->target.device ||
                                                   now.inode != replace->target.inode));
        if (failure != 0 || replace->target_changed) {
            return failure != 0 ? failure : EEXIST;
        }
    }
    int failure = sft_os_rename(replace->folder, replace->temporary, replace->name);
    replace->has_temporary = failure != 0;
    return failure;
}

static int give_name(sft_replace *replace) {
    int made = replace->folder_missing ? make_missing(replace) : 0;
    if (made != 0) {
        return made;
    }
    if (!replace->exists) {
        /* Straight to its name: not even the death of the process can leave a temporary. */
        bool straight = replace->keep_existing || !replace->has_temporary;
        int failure = straight ? take_free_name(replace) : EEXIST;
        if (failure != EEXIST || replace->keep_existing) {
            return failure;
        }
    }
    return take_name(replace);
}

sft_status sft_replace_commit(sft_replace *replace, sft_error *error) {
    int failure = replace->durable ? sft_os_flush(replace->fd) : 0;
    if (failure != 0) {
        sft_replace_abort(replace);
        return sft_fail_system(error, SFT_WRITE_FAILED, failure,
                               "cannot flush the new file to the disk");
    }
    failure = give_name(replace);
    if (failure == EEXIST && replace->keep_existing) {
        sft_replace_abort(replace);
        return sft_fail(error, SFT_ALREADY_EXISTS, SFT_NO_BYTE,
                        "the file exists and is not to be replaced");
    }
    if (failure != 0) {
        sft_replace_abort(replace);
        return sft_fail_system(error, SFT_WRITE_FAILED, failure,
                               "cannot give the new file its name");
    }
    failure = replace->durable ? sft_os_flush_folder(replace->folder) : 0;
    end(replace);
    if (failure != 0) {
        return sft_fail_system(error, SFT_WRITE_FAILED, failure,
                               "the new file is in place, but its folder cannot be flushed to the "
                               "disk: after a crash of the system the old one may be back");
    }
    return SFT_OK;
}

void sft_replace_abort(sft_replace *replace) {
    if (replace->has_temporary) {
        (void)sft_os_remove(replace->folder, replace->temporary);
        replace->has_temporary = false;
    }
    end(replace);
}
