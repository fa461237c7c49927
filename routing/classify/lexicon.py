"""Three short lists of words that tell what kind of work is wanted: programming, looking something up, plain talk.

They never decide: `shape` counts how many of each stand in a request, and the linear model weighs the counts, above all "none at all".
The counts carry over to topics that no training row had. Signs of scripts without blanks are written as pairs, as `words.grams_of` makes
them.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    """`text` split at blanks; `_` stands for the blank inside a pair."""
    return frozenset(word.replace("_", " ") for word in text.split())


def _pairs(text: str) -> frozenset[str]:
    """Two-sign words of scripts without blanks, as pairs; longer ones by their first two and last two signs."""
    return frozenset(pair for word in text.split() for pair in (f"{word[0]} {word[1]}", f"{word[-2]} {word[-1]}"))


CODE = _words("""
    python java javascript typescript js ts rust golang kotlin swift php ruby perl scala haskell clojure elixir matlab bash
    powershell sql mysql postgres postgresql sqlite mongodb redis kafka html css scss react vue angular svelte node nodejs npm pip
    django flask fastapi spring rails laravel pandas numpy pytorch tensorflow keras opencv unity godot docker dockerfile kubernetes
    k8s terraform ansible git github linux ubuntu aws azure gcp nginx vba excel_vba regex regexp json yaml xml csv api apis rest
    graphql grpc websocket http oauth jwt cli sdk gui ide function functions method methods class classes struct enum array arrays
    variable variables parameter parameters argument loop loops recursion recursive iterator callback async await thread threads
    mutex pointer pointers string strings boolean int float integer tuple dict dictionary hashmap hash_map linked_list binary_tree
    queue stack heap cache script scripts code coding codebase program programming compile compiler compilation runtime debug
    debugger bug bugs stacktrace exception traceback error_handling refactor refactoring lint unit_test unit_tests test_suite tests
    pytest junit mock module modules package library framework dependency dependencies import imports repository repo commit merge
    branch pull_request deploy deployment pipeline backend frontend server client database databases query queries schema
    table_schema index migration endpoint endpoints middleware parser tokenizer lexer algorithm algorithms data_structure implement
    implementation def return elif println printf console stdin stdout null none undefined const let var void public private static
    circuit_breaker retry retries timeout timeouts latency throughput memory allocator leak deadlock race_condition concurrency
    concurrent scheduler kernel driver packet tcp udp dns auth authentication login encryption hashing hash log logs logging metrics
    dashboard alert alerts sensor firmware plugin extension bot scraper crawler app website web_page landing_page component
    components button dropdown spreadsheet formula macro cell dijkstra quicksort in_place binary_search gpu cuda tensor
    dataset plot simulate simulation input output time_limit sort sorted leetcode bitwise boilerplate webhook microservice
    microservices container containers funktion funktionen klasse methode skript datenbank programmiere implementiere schnittstelle
    fonction fonctions classe méthode écris_une implémente base_de_données función funciones clase método código programa implementa
    función_que função funções implemente функция функцию функции класс метод код скрипт программу реализуй напиши_функцию
    база_данных funkcję funkcja klasę kod zaimplementuj fonksiyon fonksiyonu sınıf kodu uygula hàm lớp mã viết_hàm फ़ंक्शन
    फंक्शन कोड स्क्रिप्ट क्लास دالة كود سكربت برنامج صنف
""") | _pairs("""
    网络 并发 线程 内存 缓存 服务器 日志 模块 漏洞 修复 函数 代码 编程 程序 脚本 算法 数据库 接口 单元测试 调试 实现一个 编写 类型
    メモリ サーバー エラー バグ レビュー 認証 関数 コード プログラム スクリプト クラス アルゴリズム 実装 テスト
    메모리 서버 오류 버그 함수 코드 프로그램 스크립트 클래스 알고리즘 구현 테스트
""")

LOOKUP = _words("""
    search find locate look_up lookup browse check_the identify_the latest newest recent recently current currently today tonight
    yesterday tomorrow news headline headlines price prices cheapest cheap buy rating rated ratings review reviews stars customer
    available availability in_stock store shop shopping near nearby nearest open_now hours address flight flights hotel hotels
    booking ticket tickets schedule score scores standings weather forecast website site page online webpage web url article posted
    published released release_date how_many_people stock share_price exchange_rate who_won as_of january february march april may
    june july august september october november december suche finde aktuell aktuelle neueste nachrichten preis cherche trouve
    actuel dernières nouvelles prix busca encuentra actual últimas noticias precio procure encontre atual preço найди поищи
    последние новости цена сегодня znajdź wyszukaj najnowsze bul ara son_haberler fiyat tìm_kiếm mới_nhất giá खोजें नवीनतम ताज़ा
    google bing duckduckgo wikipedia youtube amazon ebay airbnb booking tripadvisor imdb yelp reddit twitter linkedin instagram arxiv
    wolfram coursera udemy espn bbc cnn reuters bloomberg huggingface hugging_face maps the_app_store spotify netflix
    कीमत ابحث أحدث سعر أخبار
""") | _pairs("""
    搜索 查找 最新 价格 新闻 今天 附近 评分 官网 検索 調べて 価格 ニュース 今日 검색 찾아 최신 가격 뉴스 오늘
""")

TALK = _words("""
    story stories poem poems haiku lyrics song joke jokes letter essay speech toast slogan tagline screenplay dialogue character
    characters novel fiction tale fairy write_a_story recipe recipes cook cooking bake dish meal dinner breakfast ingredients diet
    workout exercise yoga sleep friend friends wife husband mother father mom dad baby kid kids child children dog cat pet garden
    plants birthday wedding party gift holiday vacation travel trip itinerary movie movies film music band book books history war
    king philosophy religion love feel feeling feelings advice tips tip ideas idea suggest recommend brainstorm email e-mail
    invitation resume cover_letter interview job boss coworker team_meeting marketing blog tweet post caption translate translation
    rephrase paraphrase rewrite summarize grammar sentence sentences paragraph word words scene scenes episode adventure plot
    chapter villain hero kingdom style_of rap verse verses chorus rhyme funny humor humorous comedy parody fictional biography
    timeline customer formal tone passage topic topics quiz trivia homework pupils grade course courses people someone person man
    woman boy girl life world country city animal animals food health day night summer winter sea mountain meaning synonym pronounce
    explain_why what_is who_is who_was why_do why_is doctor symptoms money budget house car bike school teacher student students
    thanks thank hello hi hey please_help pretend imagine act_as role you_are_a geschichte gedicht rezept brief reise freund danke
    hallo übersetze erkläre histoire poème recette lettre voyage ami merci bonjour traduis explique historia poema receta carta
    viaje amigo gracias hola traduce explica história receita viagem obrigado olá traduza рассказ стихотворение рецепт письмо друг
    спасибо привет переведи объясни opowiadanie wiersz przepis list dziękuję cześć hikaye şiir tarif mektup teşekkürler merhaba
    truyện thơ công_thức cảm_ơn xin_chào कहानी कविता धन्यवाद नमस्ते ποίημα ιστορία příběh pohádku стих сказку речь историю tarina
    verset poveste قصة قصيدة وصفة شكرا مرحبا
""") | _pairs("""
    文章 标题 对话 人物 改写 幽默 小说 故事 诗歌 食谱 信件 旅行 朋友 谢谢 你好 翻译 作文
    物語 場面 王国 レシピ 手紙 ありがとう こんにちは 翻訳 소설 장면 이야기 요리 편지 여행 감사 안녕 번역
""")
