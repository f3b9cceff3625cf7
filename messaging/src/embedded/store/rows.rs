//! What one record looks like, with typed ids.

use proto::id::{ChannelId, FileId, PostId, TeamId, UploadId, UserId};
use sqlx::{FromRow, Row as _};

use sqlx::any::AnyRow as Row;

/// A value that can be read from a column.
trait Column: Sized {
    fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error>;
}

macro_rules! plain_columns {
    ($($ty:ty)*) => { $(
        impl Column for $ty {
            fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
                row.try_get(name)
            }
        }
    )* };
}
plain_columns! { String i64 Vec<u8> }

/// A yes or no is kept as 0 or 1.
impl Column for bool {
    fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
        Ok(i64::read(row, name)? != 0)
    }
}

macro_rules! id_columns {
    ($($ty:ty)*) => { $(
        impl Column for $ty {
            fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
                let text: String = row.try_get(name)?;
                Self::parse(text).map_err(|source| sqlx::Error::ColumnDecode {
                    index: name.to_owned(),
                    source: Box::new(source),
                })
            }
        }
        /// The empty text stands for none.
        impl Column for Option<$ty> {
            fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
                let text: String = row.try_get(name)?;
                if text.is_empty() { Ok(None) } else { <$ty>::read(row, name).map(Some) }
            }
        }
    )* };
}
id_columns! { ChannelId FileId PostId TeamId UploadId UserId }

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $ty:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) struct $name { $($(#[$about])* pub(crate) $field: $ty,)* }

        impl FromRow<'_, Row> for $name {
            fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: Column::read(row, stringify!($field))?,)* })
            }
        }
    )* };
}

rows! {
    /// A person or bot.
    PersonRow {
        id: UserId,
        username: String,
        email: String,
        first_name: String,
        last_name: String,
        nickname: String,
        position: String,
        password_hash: String,
        is_bot: bool,
        is_admin: bool,
        created_at: i64,
        updated_at: i64,
        deleted_at: i64,
        /// Empty for the server's language.
        locale: String,
        /// 0 for the drawn picture.
        pictured_at: i64,
    }
    PortraitRow {
        mime: String,
        picture: Vec<u8>,
    }
    /// A way into a team, without its token.
    InviteRow {
        id: String,
        team_id: TeamId,
        creator_id: UserId,
        created_at: i64,
        expires_at: i64,
        max_uses: i64,
        uses: i64,
        ended_at: i64,
    }
    ReactionRow {
        post_id: PostId,
        person_id: UserId,
        emoji: String,
        created_at: i64,
    }
    /// A login session, without its token.
    LoginRow {
        id: String,
        person_id: UserId,
        created_at: i64,
        expires_at: i64,
        browser: String,
        os: String,
    }
    TeamRow {
        id: TeamId,
        name: String,
        display_name: String,
        description: String,
        kind: String,
        created_at: i64,
        updated_at: i64,
        deleted_at: i64,
    }
    TeamMemberRow {
        team_id: TeamId,
        person_id: UserId,
        is_admin: bool,
    }
    RoomRow {
        id: ChannelId,
        team_id: Option<TeamId>,
        kind: String,
        name: String,
        display_name: String,
        header: String,
        purpose: String,
        creator_id: String,
        is_default: bool,
        created_at: i64,
        updated_at: i64,
        deleted_at: i64,
        last_post_at: i64,
        last_root_post_at: i64,
        post_count: i64,
        root_post_count: i64,
    }
    MemberRow {
        room_id: ChannelId,
        person_id: UserId,
        is_admin: bool,
        created_at: i64,
        viewed_at: i64,
        viewed_posts: i64,
        viewed_root_posts: i64,
        mentions: i64,
        /// Of the mentions, those in first posts.
        root_mentions: i64,
        viewed_seq: i64,
    }
    /// A thread that a person follows, with what she has not read of it.
    FollowedRow {
        root_id: PostId,
        person_id: UserId,
        room_id: ChannelId,
        team_id: Option<TeamId>,
        viewed_at: i64,
        mentions: i64,
        unread: i64,
        reply_count: i64,
        last_reply_at: i64,
        deleted_at: i64,
    }
    PostRow {
        id: PostId,
        /// Its place in the order of all posts; whoever inserts it leaves it to the records.
        seq: i64,
        room_id: ChannelId,
        author_id: UserId,
        root_id: Option<PostId>,
        message: String,
        kind: String,
        props: String,
        created_at: i64,
        updated_at: i64,
        edited_at: i64,
        deleted_at: i64,
        reply_count: i64,
        last_reply_at: i64,
    }
    /// What must be known of a post before it is read.
    OutlineRow {
        id: PostId,
        seq: i64,
        size_bytes: i64,
    }
    StepRow {
        from_ms: i64,
        to_ms: i64,
    }
    EndedLoginRow {
        number: i64,
        login_id: String,
        person_id: UserId,
    }
    /// A stored file; `post_id` is the first post that shows or carries it.
    FileRow {
        id: FileId,
        owner_id: UserId,
        room_id: ChannelId,
        post_id: Option<PostId>,
        name: String,
        extension: String,
        mime: String,
        size_bytes: i64,
        created_at: i64,
    }
    UploadRow {
        id: UploadId,
        file_id: FileId,
        owner_id: UserId,
        room_id: ChannelId,
        filename: String,
        size_bytes: i64,
        created_at: i64,
        draft: String,
    }
    PreferenceRow {
        person_id: UserId,
        category: String,
        name: String,
        value: String,
    }
}
