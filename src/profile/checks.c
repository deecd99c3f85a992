/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* checks - what a text value of a profile must look like: paths, names, patterns, times. */
#include "profile_internal.h"

#include "names.h"

#include <sys/stat.h>

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    return false;
}

bool check_line(char **text, struct complaint *c)
{
    if (has_control(*text))
        return complain(c, "expected one line of text", "%s has a control character or a line break in it",
                        SHOWN(*text));
    return true;
}

static bool has_only(const char *text, const char *allowed)
{
    return text[strspn(text, allowed)] == '\0';
}
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* --- paths --------------------------------------------------------------------------------------------- */

static bool is_absolute_clean(const char *path)
{
    return *path == '/' && path_is_clean(path + 1);
}

bool check_file(char **text, struct complaint *c)
{
    if (!is_absolute_clean(*text))
        return complain(c, "expected an absolute path without empty, \".\" or \"..\" parts",
                        "%s is not the path of a file", SHOWN(*text));
    return true;
}

static void cut_slashes(char *path)
{
    for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
        path[len - 1] = '\0';
}

bool check_dir(char **text, struct complaint *c)
{
    cut_slashes(*text);
    if (!is_absolute_clean(*text))
        return complain(c, "expected an absolute path below /, without empty, \".\" or \"..\" parts",
                        "%s is not the path of a directory", SHOWN(*text));
    return true;
}

bool check_to(char **text, struct complaint *c)
{
    static const char hint[] = "expected a path below tenant.root, such as campaigns/2026";
    cut_slashes(*text);
    if (!path_is_clean(*text)) /* begins with '/', too */
        return complain(c, hint, "%s is not a folder below tenant.root", SHOWN(*text));
    return true;
}

bool check_root(char **text, struct complaint *c)
{
    cut_slashes(*text);
    if (!is_absolute_clean(*text) || !path_is_below(*text, "/content/dam"))
        return complain(c, "expected a path such as /content/dam/mac/acme", "%s is not a folder below /content/dam",
                        SHOWN(*text));
    AUTO(mem_freep) char *mapped = names_map_path(NAME_FOLDER, *text + 1);
    if (str_eq(mapped, *text + 1))
        return true;
    char hint[200];
    snprintf(hint, sizeof(hint), "possible is \"/%s\"", mapped);
    return complain(c, hint, "%s has characters that no folder on the portal has", SHOWN(*text));
}

/* --- names --------------------------------------------------------------------------------------------- */

bool check_id(char **text, struct complaint *c)
{
    if (!has_only(*text, LETTERS DIGITS "_-"))
        return complain(c, "expected letters, digits, _ and -", "%s is not the id of a tenant", SHOWN(*text));
    return true;
}

bool check_property(char **text, struct complaint *c)
{
    if (!has_only(*text, LETTERS DIGITS "_-:") || strchr(DIGITS "-:", **text))
        return complain(c, "expected a name such as publicFolder", "%s is not the name of a property", SHOWN(*text));
    return true;
}

bool check_scope(char **text, struct complaint *c)
{
    if (has_control(*text) || strpbrk(*text, ", \"\\"))
        return complain(c, "expected one name per item, or the whole line of the console as text", "%s is not a scope",
                        SHOWN(*text));
    return true;
}

/* What people write from habit and glob_match would take for a name that never comes. */
bool check_pattern(char **text, struct complaint *c)
{
    if (str_ends(*text, "/"))
        return complain(c, "for all that is below a directory write name/**",
                        "a pattern that ends in / matches nothing: %s", SHOWN(*text));
    if (strpbrk(*text, "{}") && !strchr(*text, '['))
        return complain(c, "write one pattern for each; for the character itself [{]", "braces are not expanded: %s",
                        SHOWN(*text));
    if (**text == '!')
        return complain(c, "use include for what is wanted; for the character itself [!]",
                        "a pattern cannot be turned round with !: %s", SHOWN(*text));
    return true;
}

/* --- time ---------------------------------------------------------------------------------------------- */

static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool is_day(const char *word, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(days); i++)
        if (len == 3 && memcmp(days[i], word, 3) == 0)
            return true;
    return false;
}

bool check_days(char **text, struct complaint *c)
{
    size_t first = strcspn(*text, "-");
    const char *last = (*text)[first] ? *text + first + 1 : *text;
    if (!is_day(*text, first) || !is_day(last, strlen(last)))
        return complain(c, "expected mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri",
                        "%s is not a day of the week", SHOWN(*text));
    return true;
}

/* "HH:MM" with two digits each. */
static bool parse_time(const char *text, int *minutes)
{
    int64_t hour, minute;
    if (strlen(text) != 5 || text[2] != ':' || strspn(text, DIGITS) != 2 || strspn(text + 3, DIGITS) != 2)
        return false;
    AUTO(mem_freep) char *hours = str_copy_n(text, 2);
    if (!parse_int64(hours, 0, 24, &hour) || !parse_int64(text + 3, 0, 59, &minute))
        return false;
    *minutes = (int)(hour * 60 + minute);
    return true;
}

bool check_end_time(char **text, struct complaint *c)
{
    int minutes;
    if (!parse_time(*text, &minutes) || minutes > 24 * 60)
        return complain(c, "expected \"00:00\" to \"24:00\"", "%s is not a time of day", SHOWN(*text));
    return true;
}

bool check_time(char **text, struct complaint *c)
{
    if (str_eq(*text, "24:00"))
        return complain(c, "the day begins at \"00:00\"", "\"24:00\" is only an end");
    return check_end_time(text, c);
}

bool check_zone(char **text, struct complaint *c)
{
    struct stat st;
    AUTO(mem_freep) char *file = str_printf("/usr/share/zoneinfo/%s", *text);
    bool is_name = path_is_clean(*text) && has_only(*text, LETTERS DIGITS "_+-/");
    if (str_eq(*text, "UTC") || (is_name && stat(file, &st) == 0 && S_ISREG(st.st_mode)))
        return true;
    return complain(c, "expected a name such as Europe/Berlin (package tzdata)", "there is no time zone %s",
                    SHOWN(*text));
}

bool check_rate(char **text, struct complaint *c)
{
    int64_t rate;
    if (!parse_rate(*text, &rate) || rate == 0)
        return complain(c, "expected a rate such as 2MB/s", "%s is not a rate", SHOWN(*text));
    return true;
}
