//! The Unix socket of the proxy listener.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The user and the group of the server: a proxy that runs as another user is put into the group.
const MODE: u32 = 0o660;

/// The socket's file; removed when this is dropped, if it is still the one that was made.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

/// Makes a socket at the path. A socket that is there is replaced if nobody listens on it.
///
/// # Errors
///
/// [`io::ErrorKind::AddrInUse`] when somebody does, or something else than a socket is there; what the
/// system says.
pub(super) async fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(in_use("something else than a socket is there"));
        }
        Ok(_) if UnixStream::connect(path).await.is_ok() => {
            return Err(in_use("another process listens there"));
        }
        _ => {}
    }
    // Made where nobody else comes, and moved once only the right ones can connect: a socket is bound with
    // whatever mode the process's mask leaves, and is open from then on.
    let folder = private_folder(path)?;
    let made = folder.join("s");
    let bound = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(MODE))?;
        let found = fs::symlink_metadata(&made)?;
        fs::rename(&made, path)?;
        Ok((listener, SocketFile { path: path.to_owned(), inode: (found.dev(), found.ino()) }))
    });
    if bound.is_err() {
        // The error that is told is the one that came first.
        let _ = fs::remove_file(&made);
    }
    fs::remove_dir(&folder)?;
    bound
}

/// A folder of our own beside the path.
fn private_folder(path: &Path) -> io::Result<PathBuf> {
    let beside = path.parent().unwrap_or(Path::new("/"));
    let folder = beside.join(format!(".procura-{}", std::process::id()));
    match DirBuilder::new().mode(0o700).create(&folder) {
        // Left by a process of this number that broke off.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_dir_all(&folder)?;
            DirBuilder::new().mode(0o700).create(&folder)?;
        }
        made => made?,
    }
    Ok(folder)
}

fn in_use(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, why)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.inode);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket can't be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_user_and_group_and_gone_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        let (listener, file) = bind(&path).await.unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, MODE);
        let (connected, accepted) = tokio::join!(UnixStream::connect(&path), listener.accept());
        assert!(connected.is_ok() && accepted.is_ok());
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_socket_that_nobody_listens_on_is_replaced_and_another_servers_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        let (listener, file) = bind(&path).await.unwrap();
        assert_eq!(bind(&path).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        let (_listener, _next) = bind(&path).await.unwrap();
        // The first one's file is not at the path any more, and what is there is not its own.
        drop(file);
        assert!(UnixStream::connect(&path).await.is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        fs::write(&path, "somebody's").unwrap();
        assert_eq!(bind(&path).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's");
    }
}
