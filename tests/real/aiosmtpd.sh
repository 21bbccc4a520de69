# aiosmtpd, an SMTP server that keeps what it takes in a folder; from PyPI, in a virtual environment of its own.

AIOSMTPD_RECIPE="aiosmtpd $AIOSMTPD"

aiosmtpd_installed() { complete "$CACHE/aiosmtpd-$AIOSMTPD" "$AIOSMTPD_RECIPE"; }
aiosmtpd_where() { echo "$CACHE/aiosmtpd-$AIOSMTPD"; }
aiosmtpd_announce() { echo "$AIOSMTPD: fetching"; }

aiosmtpd_install() {
    local stage
    stage=$(staging aiosmtpd)
    python3 -m venv "$stage"
    "$stage/bin/python" -m pip install --quiet --disable-pip-version-check "aiosmtpd==$AIOSMTPD"
    "$stage/bin/python" -m aiosmtpd --version
    publish "$stage" "$CACHE/aiosmtpd-$AIOSMTPD" "$AIOSMTPD_RECIPE"
}
