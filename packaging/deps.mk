# The Debian packages that building, running and testing need. `make deps` installs what is missing.
DEPS_BUILD := gcc libc6-dev pkg-config libcurl4-openssl-dev libssl-dev libinotifytools0-dev libyaml-dev zlib1g-dev \
        libsqlite3-dev libjansson-dev libmicrohttpd-dev libutf8proc-dev libsystemd-dev libexpat1-dev
DEPS_TEST  := libcmocka-dev curl openssl python3 sqlite3 perl tzdata
DEPS_DEMO  := ca-certificates lomiri-wallpapers-16.04 lomiri-wallpapers-20.04
DEPS_LINT  := $(DEPS_BUILD) libcmocka-dev git clang clang-format clang-tidy cppcheck
