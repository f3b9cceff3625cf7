//! What people write that begins with `/`.

use proto::calls::action::Action;
use serde_json::{Value, json};

use crate::client::short;
use crate::world::{Person, World};

async fn run(world: &World, person: &Person, command: &str) -> (u16, Value) {
    let body = json!({"channel_id": world.channel, "command": command});
    world.chat_post(person, "/commands/execute", body).await
}

async fn shown(world: &World, person: &Person, command: &str) -> String {
    let (status, answer) = run(world, person, command).await;
    assert_eq!(status, 200, "{command}: {answer}");
    answer["text"].as_str().unwrap().to_owned()
}

async fn messages(world: &World) -> Vec<String> {
    let path = format!("/channels/{}/posts", world.channel);
    let (_, page) = world.chat_get(&world.anna, &path).await;
    let posts = page["posts"].as_object().unwrap().values();
    let messages = posts.map(|post| post["message"].as_str().unwrap().to_owned());
    messages
        .filter(|message| message.starts_with('/'))
        .collect()
}

#[tokio::test]
async fn what_begins_with_a_slash_is_never_published() {
    let world = World::new().await;
    let commands = ["/call end", "/call start", "/nonsense", "/"];
    for message in commands {
        let body = json!({"channel_id": world.channel, "message": message});
        let (status, refused) = world.chat_post(&world.anna, "/posts", body).await;
        assert_eq!(status, 400, "{message}");
        assert_eq!(refused["id"], "api.post.create_post.command.app_error");
        run(&world, &world.anna, message).await;
    }
    let body = json!({"channel_id": world.channel, "message": " /call end is how"});
    let (status, said) = world.chat_post(&world.anna, "/posts", body).await;
    assert_eq!(status, 201, "a space before it makes it a message");
    let path = format!("/api/v4/posts/{}/patch", said["id"].as_str().unwrap());
    let patch = world
        .http
        .put(format!("http://{}{path}", world.addr()))
        .bearer_auth(&world.anna.token)
        .json(&json!({"message": "/call end"}));
    assert_eq!(patch.send().await.unwrap().status(), 400);
    assert_eq!(messages(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_the_client_does_itself_shows_nothing() {
    let world = World::new().await;
    for command in [
        "/call start",
        "/call start a title",
        "/call join",
        "/call leave",
        "/call end",
        "/call logs",
        "/call recording start",
        "/call recording stop",
    ] {
        assert_eq!(shown(&world, &world.anna, command).await, "", "{command}");
    }
    for (command, text) in [
        ("/call", "Invalid number of arguments provided"),
        ("/call dance", "Invalid subcommand: dance"),
        (
            "/call recording",
            "Error: Invalid number of arguments provided",
        ),
        ("/call recording rest", "Error: Invalid arguments provided"),
        ("/call recording pause", "Error: recordings are not enabled"),
        ("/call stats", "Error: Invalid number of arguments provided"),
        ("/call stats e30=", "Error: Empty stats object"),
        ("/call host", "Error: Invalid number of arguments provided"),
        ("/call host @ben", "Error: no call ongoing"),
        (
            "/call host @nobody",
            "Error: there is nobody called @nobody",
        ),
    ] {
        assert_eq!(shown(&world, &world.anna, command).await, text, "{command}");
    }
    let (status, unknown) = run(&world, &world.anna, "/dance now").await;
    assert_eq!(status, 404);
    let id = "api.command.execute_command.not_found.app_error";
    assert_eq!(unknown["id"], id);
    assert_eq!(run(&world, &world.anna, "call link").await.0, 400);
    let stranger = world.stranger("stranger").await;
    assert_eq!(run(&world, &stranger, "/call link").await.0, 404);
}

async fn speak(world: &World, person: &Person, locale: &str) {
    let url = format!("http://{}/api/v4/users/me/patch", world.addr());
    let request = world.http.put(url).bearer_auth(&person.token);
    let patched = request.json(&json!({ "locale": locale })).send().await;
    assert_eq!(patched.unwrap().status(), 200);
}

#[tokio::test]
async fn whoever_sends_a_command_is_answered_in_the_language_of_the_profile() {
    let world = World::new().await;
    let mut ben = world.connect(&world.ben).await;
    speak(&world, &world.ben, "ar").await;
    speak(&world, &world.admin, "fr-CA").await;
    let name = "\u{2068}@nobody\u{2069}";
    for (command, text) in [
        ("/call", "عدد المعطيات غير صحيح".to_owned()),
        ("/call host @ben", "خطأ: لا توجد مكالمة جارية".to_owned()),
        ("/call host @nobody", format!("خطأ: لا يوجد أحد باسم {name}")),
    ] {
        assert_eq!(shown(&world, &world.ben, command).await, text, "{command}");
        let told = ben.wait_for("ephemeral_message").await;
        let post: Value = serde_json::from_str(told.data["post"].as_str().unwrap()).unwrap();
        assert_eq!(post["message"], text);
    }
    // A mark beside the address would become part of it.
    let text = shown(&world, &world.ben, "/call link").await;
    let link = text.strip_prefix("رابط المكالمة: ").unwrap();
    assert!(link.starts_with("http://") && link.ends_with("?join_call=true"));
    let french = "Erreur : les enregistrements ne sont pas activés";
    let told = shown(&world, &world.admin, "/call recording pause").await;
    assert_eq!(told, french);
    let (status, unknown) = run(&world, &world.admin, "/dance now").await;
    let message = unknown["message"].as_str().unwrap();
    assert_eq!(status, 404);
    assert!(message.starts_with("La commande /dance n’existe pas"));
    // Who has chosen none reads what the server speaks.
    let text = shown(&world, &world.anna, "/call").await;
    assert_eq!(text, "Invalid number of arguments provided");
    let (_, teams) = world.chat_get(&world.admin, "/users/me/teams").await;
    let team = teams[0]["id"].as_str().unwrap();
    let path = format!("/teams/{team}/commands/autocomplete");
    let (_, offered) = world.chat_get(&world.admin, &path).await;
    let about = "Commencer un appel, le rejoindre ou le quitter";
    assert_eq!(offered[0]["auto_complete_desc"], about);
}

#[tokio::test]
async fn everybody_reads_the_language_of_the_server() {
    let world = World::with(None, |raw| raw.chat.default_locale = "de".to_owned()).await;
    let text = shown(&world, &world.anna, "/call").await;
    assert_eq!(text, "Falsche Anzahl von Angaben");
    speak(&world, &world.ben, "es").await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let posts = format!("/channels/{}/posts", world.channel);
    let post = async |said: &str| {
        let (_, page) = world.chat_get(&world.ben, &posts).await;
        let mut posts = page["posts"].as_object().unwrap().values();
        let post = posts.find(|post| post["type"] == "custom_calls").unwrap();
        assert!(post["message"].as_str().unwrap().contains(said), "{post}");
        assert_eq!(post["props"]["attachments"][0]["title"], post["message"]);
    };
    post("hat einen Anruf begonnen").await;
    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;
    anna.wait_for("post_edited").await;
    post("Anruf beendet").await;
    let (_, config) = world
        .chat_get(&world.ben, "/config/client?format=old")
        .await;
    assert_eq!(config["DefaultClientLocale"], "de");
    let (_, me) = world.chat_get(&world.anna, "/users/me").await;
    assert_eq!(me["locale"], "de");
    let (_, me) = world.chat_get(&world.ben, "/users/me").await;
    assert_eq!(me["locale"], "es");
}

#[tokio::test]
async fn a_link_leads_to_the_page_and_is_shown_to_its_asker_only() {
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    let mut ben = world.connect(&world.ben).await;
    let text = shown(&world, &world.anna, "/call link").await;
    let link = text.strip_prefix("Call link: ").unwrap();
    let (addr, channel) = (world.addr(), &world.channel);
    let expected = format!("http://{addr}/north/channels/{channel}?join_call=true");
    assert_eq!(link, expected);
    let page = world.http.get(link).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let told = anna.wait_for("ephemeral_message").await;
    let post: Value = serde_json::from_str(told.data["post"].as_str().unwrap()).unwrap();
    assert_eq!(post["message"], text);
    assert_eq!(post["channel_id"], channel.as_str());
    assert_eq!(post["type"], "system_ephemeral");
    ben.ask_to_join(channel, None).await;
    let seen = ben.events_until("call_state").await;
    let names: Vec<String> = seen.iter().map(short).collect();
    let whispers = names.iter().filter(|name| *name == "ephemeral_message");
    assert_eq!(whispers.count(), 0, "{names:?}");

    // {"rtt":1}
    let text = shown(&world, &world.anna, "/call stats eyJydHQiOjF9").await;
    assert_eq!(text, "```json\n{\n  \"rtt\": 1\n}\n```");
}

#[tokio::test]
async fn the_host_is_changed_by_its_name() {
    let world = World::new().await;
    let (mut anna, _ben) = world.anna_and_ben().await;
    let refused = shown(&world, &world.ben, "/call host @ben").await;
    assert_eq!(refused, "Error: no permissions");
    let absent = shown(&world, &world.anna, "/call host @admin").await;
    let text = "Error: requested session or user is not in the call";
    assert_eq!(absent, text);
    let bot = shown(&world, &world.anna, "/call host @calls").await;
    assert_eq!(bot, "Error: cannot assign the bot to be host: not allowed");
    assert_eq!(shown(&world, &world.anna, "/call host @ben").await, "");
    let changed = anna.wait_for("call_host_changed").await;
    assert_eq!(changed.data["hostID"], world.ben.id.as_str());
    assert_eq!(shown(&world, &world.admin, "/call host anna").await, "");
    let changed = anna.wait_for("call_host_changed").await;
    assert_eq!(changed.data["hostID"], world.anna.id.as_str());
}

#[tokio::test]
async fn commands_are_offered_to_whoever_types() {
    let world = World::new().await;
    let (_, teams) = world.chat_get(&world.anna, "/users/me/teams").await;
    let teams = teams.as_array().unwrap();
    let north = teams.iter().find(|team| team["name"] == "north").unwrap();
    let team = format!("/teams/{}/commands", north["id"].as_str().unwrap());
    let (_, all) = world
        .chat_get(&world.anna, &format!("{team}/autocomplete"))
        .await;
    assert_eq!(all[0]["trigger"], "call");
    assert_eq!(all[0]["auto_complete"], true);
    assert_eq!(all[0]["team_id"], north["id"]);
    for (typed, lines) in [
        ("%2Fca", vec!["call"]),
        ("%2Fcall%20st", vec!["call start", "call stats"]),
        (
            "%2Fcall%20recording%20st",
            vec!["call recording start", "call recording stop"],
        ),
        ("%2Fdance", vec![]),
    ] {
        let path = format!("{team}/autocomplete_suggestions?user_input={typed}");
        let (_, found) = world.chat_get(&world.anna, &path).await;
        let found = found.as_array().unwrap().iter();
        let found: Vec<&str> = found.map(|one| one["Complete"].as_str().unwrap()).collect();
        assert_eq!(found, lines, "{typed}");
    }
    let stranger = world.stranger("stranger").await;
    let path = format!("{team}/autocomplete");
    assert_eq!(world.chat_get(&stranger, &path).await.0, 404);
}
