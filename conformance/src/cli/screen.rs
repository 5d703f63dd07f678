//! What the terminal in front of the user can show, if there is one.

use std::io::IsTerminal;

/// Where a terminal does not say how wide it is.
const USUAL: u16 = 80;

/// Whether standard output is a terminal that knows colours, and the user has not said that they are unwelcome.
pub(super) fn has_colours() -> bool {
    let unwelcome = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwelcome && is_capable() && std::io::stdout().is_terminal()
}

/// How wide standard error is, if that is a terminal on which a line can renew itself.
pub(super) fn columns() -> Option<usize> {
    let stderr = std::io::stderr();
    if !is_capable() || !stderr.is_terminal() {
        return None;
    }
    let told = rustix::termios::tcgetwinsize(&stderr).map_or(0, |size| size.ws_col);
    Some(usize::from(if told == 0 { USUAL } else { told }))
}

/// Whether the terminal understands more than letters.
fn is_capable() -> bool {
    std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb")
}
